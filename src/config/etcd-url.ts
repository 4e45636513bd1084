import { isIPv6 } from 'node:net';
import { LayerpullError } from '../core/errors.ts';
import { type Setting, usage } from './values.ts';

/** What `etcd://HOST[:PORT][,HOST[:PORT]…][/PREFIX]` says. */
export interface EtcdUrl {
  /** `HOST:PORT`, each once; an IPv6 address in brackets. */
  readonly endpoints: readonly string[];
  /** Without a slash at its ends. */
  readonly prefix: string;
  /** It began with `etcds://`. */
  readonly isSecure: boolean;
}

const standardPort = 2379;
const standardPrefix = 'layerpull';
/** More members than any etcd should have, with room for names of the same. */
const maxEndpoints = 32;
const maxPrefixLength = 128;
/** What the keys of a cluster begin with behind its prefix: another cluster is not to be there. */
const keyNames: ReadonlySet<string> = new Set(['meta', 'live', 'snapshot']);
const example = 'such as etcd://10.0.0.1:2379,10.0.0.2:2379,10.0.0.3:2379/layerpull';

/** @throws LayerpullError `usage`, which does not show a text that may hold a password */
export function readEtcdUrl(given: Setting): EtcdUrl {
  const { text, from } = given;
  if (text.includes('@')) {
    throw new LayerpullError('usage', `${from}: a user and a password do not belong into the URL`, {
      hint: 'give --etcd-user NAME and --etcd-password-file FILE',
    });
  }
  const [, scheme, members = '', path = ''] = /^(etcds?):\/\/([^/?#]*)((?:\/.*)?)$/.exec(text) ?? [];
  if (scheme === undefined) throw usage(given, 'is not the URL of an etcd', example);
  const endpoints = [...new Set(members.split(',').map((member) => readEndpoint(member.trim(), given)))];
  if (endpoints.length > maxEndpoints)
    throw usage(
      { from, text: 'etcd://…' },
      `names ${endpoints.length} members`,
      `give ${maxEndpoints} at most`,
    );
  return { endpoints, prefix: readPrefix(path, given), isSecure: scheme === 'etcds' };
}

function readEndpoint(member: string, given: Setting): string {
  if (member === '') throw usage(given, 'has a member without a name', example);
  const match = /^(\[([0-9a-fA-F:.]+)\]|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?::(\d{1,5}))?$/.exec(
    member,
  );
  const port = match?.[3] === undefined ? standardPort : Number(match[3]);
  if (!match || port < 1 || port > 65_535 || (match[2] !== undefined && !isIPv6(match[2]))) {
    throw usage({ from: given.from, text: member }, 'is not HOST:PORT', example);
  }
  return `${match[1]?.toLowerCase()}:${port}`;
}

function readPrefix(path: string, given: Setting): string {
  const prefix = path.replace(/^\//, '').replace(/\/$/, '');
  if (prefix === '') return standardPrefix;
  const isPlain = /^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/.test(prefix);
  if (isPlain && prefix.length <= maxPrefixLength) return refuseAmongKeys(prefix, given);
  const hint = `use letters, digits, "-", "_", "." and "/", at most ${maxPrefixLength} in all`;
  throw usage({ from: given.from, text: prefix.slice(0, 200) }, 'is not a prefix for keys', hint);
}

/** The servers of the prefix before it would take these keys for their own, and delete them. */
function refuseAmongKeys(prefix: string, { from }: Setting): string {
  const names = prefix.split('/');
  const at = names.findIndex((name, index) => index > 0 && keyNames.has(name));
  if (at < 0) return prefix;
  const outer = names.slice(0, at).join('/');
  const problem = `lies among the keys of servers with the prefix "${outer}"`;
  const hint = `have "${[...keyNames].join('", "')}" behind no "/"`;
  throw usage({ from, text: prefix }, problem, hint);
}
