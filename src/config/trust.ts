import { resolve } from 'node:path';
import { LayerpullError } from '../core/errors.ts';
import { type GivenFlags, type Machine, setting, usage } from './values.ts';

/** How the members of a fleet (lock servers, peers, mirrors and their clients) know each other. Every path is absolute. */
export interface TrustConfig {
  /** Tokens, one a line: a server accepts each of them, a client sends the first. */
  readonly tokenFile: string | undefined;
  /** PEM files of what a server, and a client that is asked for it, shows. */
  readonly pair: { readonly certFile: string; readonly keyFile: string } | undefined;
  /** PEM file with the authorities of the others: of the servers for a client, of the clients for a server. */
  readonly caFile: string | undefined;
}

/** What a client says of itself and whom it trusts; undefined: nothing was given. @throws LayerpullError `usage` */
export function readTrust(flags: GivenFlags, machine: Machine): TrustConfig | undefined {
  const tokenFile = readFile('token-file', flags, machine);
  const certFile = readFile('tls-cert', flags, machine);
  const keyFile = readFile('tls-key', flags, machine);
  const caFile = readFile('tls-ca', flags, machine);
  if (certFile !== undefined && keyFile === undefined) throw lonely('tls-cert', 'tls-key', flags, machine);
  if (keyFile !== undefined && certFile === undefined) throw lonely('tls-key', 'tls-cert', flags, machine);
  if (tokenFile === undefined && certFile === undefined && caFile === undefined) return undefined;
  const pair = certFile !== undefined && keyFile !== undefined ? { certFile, keyFile } : undefined;
  return { tokenFile, pair, caFile };
}

/** The same for a server: it cannot ask for certificates without one of its own. @throws LayerpullError `usage` */
export function readServingTrust(flags: GivenFlags, machine: Machine): TrustConfig | undefined {
  const trust = readTrust(flags, machine);
  if (trust?.caFile === undefined || trust.pair) return trust;
  const from = setting('tls-ca', flags, machine)?.from ?? '--tls-ca';
  throw new LayerpullError('usage', `${from} asks clients for certificates over TLS, which needs one here`, {
    hint: 'give --tls-cert and --tls-key, too',
  });
}

function readFile(name: string, flags: GivenFlags, machine: Machine): string | undefined {
  const given = setting(name, flags, machine);
  // An empty flag overrules the environment and the configuration file.
  if (!given || given.text === '') return undefined;
  if (given.text.trim() === '') throw usage(given, 'names no file', 'give the path of a file');
  return resolve(machine.workingDirectory, given.text);
}

function lonely(name: string, missing: string, flags: GivenFlags, machine: Machine): LayerpullError {
  const from = setting(name, flags, machine)?.from ?? `--${name}`;
  return new LayerpullError('usage', `${from} is given without --${missing}`, {
    hint: 'a certificate and its key go together',
  });
}
