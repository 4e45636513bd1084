import { resolve } from 'node:path';
import { LayerpullError } from '../core/errors.ts';
import { readEtcdUrl } from './etcd-url.ts';
import { type GivenFlags, type Machine, setting, usage } from './values.ts';

/** The etcd in which several lock servers keep their locks. Every path is absolute. */
export interface EtcdConfig {
  /** `HOST:PORT` of its members, each once; an IPv6 address in brackets. */
  readonly endpoints: readonly string[];
  /** What the keys of these lock servers begin with, before a `/`: `layerpull`. */
  readonly prefix: string;
  /** Undefined: in clear. Empty: TLS with the authorities that Node trusts, showing nothing. */
  readonly tls?: EtcdTlsFiles | undefined;
  /** Undefined: nobody signs in. */
  readonly user?: { readonly name: string; readonly passwordFile: string } | undefined;
}

/** PEM. A certificate and its key are given together. */
export interface EtcdTlsFiles {
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
}

const tlsNames = ['etcd-ca', 'etcd-cert', 'etcd-key'] as const;
const userNames = ['etcd-user', 'etcd-password-file'] as const;

/** Undefined without `--backend`. With a file for TLS it is TLS, also at `etcd://`. @throws LayerpullError `usage` */
export function readEtcd(flags: GivenFlags, machine: Machine): EtcdConfig | undefined {
  const given = setting('backend', flags, machine);
  // An empty flag overrules the environment and the configuration file.
  if (!given || given.text === '') return refuseRest(flags);
  const { endpoints, prefix, isSecure } = readEtcdUrl(given);
  refuseOwnData(given.from, flags);
  const files = readTlsFiles(flags, machine);
  const tls = isSecure || Object.keys(files).length > 0 ? files : undefined;
  return { endpoints, prefix, tls, user: readUser(flags, machine) };
}

/** What is given for one run has to have an effect; variables and files may be there for other runs. */
function refuseRest(flags: GivenFlags): undefined {
  const lonely = [...tlsNames, ...userNames].find((name) => flags[name] !== undefined);
  if (lonely === undefined) return undefined;
  throw new LayerpullError('usage', `--${lonely} is for a server that keeps its locks in etcd`, {
    hint: 'give --backend etcd://HOST:2379, too',
  });
}

function refuseOwnData(from: string, flags: GivenFlags): void {
  const own = flags['data'] === undefined ? flags['ephemeral'] && 'ephemeral' : 'data';
  if (!own) return;
  const hint =
    from === '--backend'
      ? 'leave one of them out'
      : `leave --${own} out, or give --backend '' to do without etcd`;
  throw new LayerpullError('usage', `${from} and --${own} exclude each other`, { hint });
}

function readTlsFiles(flags: GivenFlags, machine: Machine): EtcdTlsFiles {
  const caFile = readPath('etcd-ca', flags, machine);
  const certFile = readPath('etcd-cert', flags, machine);
  const keyFile = readPath('etcd-key', flags, machine);
  requireBoth('etcd-cert', 'etcd-key', 'a certificate and its key go together', flags, machine);
  return {
    ...(caFile === undefined ? {} : { caFile }),
    ...(certFile === undefined ? {} : { certFile }),
    ...(keyFile === undefined ? {} : { keyFile }),
  };
}

function readUser(flags: GivenFlags, machine: Machine): EtcdConfig['user'] {
  const given = setting('etcd-user', flags, machine);
  const passwordFile = readPath('etcd-password-file', flags, machine);
  requireBoth('etcd-user', 'etcd-password-file', 'a user and its password go together', flags, machine);
  if (!given || passwordFile === undefined) return undefined;
  const hint = 'give the name of a user that "etcdctl user list" shows';
  if (/[\s\p{Cc}:]/u.test(given.text)) throw usage(given, 'is no name of a user', hint);
  return { name: given.text, passwordFile };
}

function requireBoth(one: string, other: string, hint: string, flags: GivenFlags, machine: Machine): void {
  const [first, second] = [one, other].map((name) => {
    const given = setting(name, flags, machine);
    return given?.text === '' ? undefined : given;
  });
  if ((first === undefined) === (second === undefined)) return;
  const missing = first === undefined ? one : other;
  throw new LayerpullError('usage', `${(first ?? second)?.from} is given without --${missing}`, { hint });
}

function readPath(name: string, flags: GivenFlags, machine: Machine): string | undefined {
  const given = setting(name, flags, machine);
  if (!given || given.text === '') return undefined;
  if (given.text.trim() === '') throw usage(given, 'names no file', 'give the path of a file');
  return resolve(machine.workingDirectory, given.text);
}
