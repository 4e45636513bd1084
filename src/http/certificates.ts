import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { LayerpullError, messageOf, systemCodeOf } from '../core/errors.ts';

/** A certificate with its private key, both PEM. */
export interface ClientCertificate {
  readonly cert: string;
  readonly key: string;
}

/** What a certificate folder holds for one host. */
export interface HostCertificates {
  /** PEM text of authorities to trust for this host. */
  readonly authorities: readonly string[];
  readonly client: ClientCertificate | undefined;
}

/**
 * The authorities of a PEM file.
 * @throws LayerpullError `usage` for a file that cannot be read or is not PEM; `from` names who asked for it
 */
export function readAuthorities(file: string, from = ''): string {
  const text = readText(file, from);
  const blocks = text.match(/-----BEGIN (TRUSTED )?CERTIFICATE-----[\s\S]*?-----END \1?CERTIFICATE-----/g);
  if (!blocks) {
    throw bad(
      file,
      'holds no certificate in PEM form',
      'it has to begin with -----BEGIN CERTIFICATE-----',
      from,
    );
  }
  for (const block of blocks) parseCertificate(block, file, from);
  return text;
}

/**
 * Reads a folder as docker and containers lay it out (`/etc/docker/certs.d/HOST[:PORT]`): `*.crt` are authorities, and
 * `NAME.cert` with `NAME.key` is the client's certificate. Of several the first by name counts.
 *
 * @returns undefined where there is no such folder, or where it is closed to this user
 * @throws LayerpullError `usage` for a file that cannot be read, and for half a pair
 */
export function readHostFolder(folder: string): HostCertificates | undefined {
  const names = listFolder(folder);
  if (!names) return undefined;
  const authorities = endingIn(names, '.crt').map((name) => readAuthorities(join(folder, name)));
  const clients = pairsOf(folder, names);
  const [first] = clients;
  return { authorities, client: first === undefined ? undefined : readClient(folder, first) };
}

/** Undefined: not there, or not for this user, as docker takes it. */
export function listFolder(folder: string): string[] | undefined {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(systemCodeOf(error) ?? '')) return undefined;
    throw unreadable(folder, error, '');
  }
}

/** The names of the pairs, without their endings. */
function pairsOf(folder: string, names: readonly string[]): string[] {
  const certificates = endingIn(names, '.cert').map((name) => name.slice(0, -'.cert'.length));
  const keys = endingIn(names, '.key').map((name) => name.slice(0, -'.key'.length));
  for (const name of certificates) {
    if (keys.includes(name)) continue;
    const hint = `put ${name}.key beside it; an authority's certificate has to end in .crt`;
    throw bad(join(folder, `${name}.cert`), 'has no key', hint);
  }
  for (const name of keys) {
    if (certificates.includes(name)) continue;
    throw bad(join(folder, `${name}.key`), 'has no certificate', `put ${name}.cert beside it`);
  }
  return certificates;
}

function readClient(folder: string, name: string): ClientCertificate {
  return readPair(join(folder, `${name}.cert`), join(folder, `${name}.key`));
}

/**
 * A certificate, with what lies between it and its authority, and its key.
 * @throws LayerpullError `usage` for files that cannot be read, are not PEM or do not belong together
 */
export function readPair(
  certFile: string,
  keyFile: string,
  { certFrom = '', keyFrom = '' } = {},
): ClientCertificate {
  const cert = readAuthorities(certFile, certFrom);
  const key = readText(keyFile, keyFrom);
  const parsed = parseKey(key, keyFile, keyFrom);
  if (!parseCertificate(cert, certFile, certFrom).checkPrivateKey(parsed)) {
    const hint = 'put a certificate and its own key there';
    throw bad(keyFile, `does not belong to ${basename(certFile)}`, hint, keyFrom);
  }
  return { cert, key };
}

function parseKey(text: string, file: string, from: string) {
  try {
    return createPrivateKey(text);
  } catch (error) {
    const encrypted = /ENCRYPTED/.test(text);
    const hint = encrypted
      ? 'keys with a passphrase are not read; store it without, readable by you alone'
      : `it has to be a private key in PEM form (${messageOf(error)})`;
    throw bad(file, encrypted ? 'is encrypted' : 'is no private key', hint, from);
  }
}

function parseCertificate(pem: string, file: string, from: string): X509Certificate {
  try {
    return new X509Certificate(pem.replaceAll('TRUSTED CERTIFICATE', 'CERTIFICATE'));
  } catch {
    throw bad(file, 'holds a certificate that cannot be read', 'write it again, in PEM form', from);
  }
}

function endingIn(names: readonly string[], ending: string): string[] {
  return names.filter((name) => name.endsWith(ending));
}

function readText(file: string, from: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw unreadable(file, error, from);
  }
}

const readProblems: Readonly<Record<string, readonly [problem: string, hint: string]>> = {
  ENOENT: ['does not exist', 'look at the path'],
  ENOTDIR: ['does not exist', 'look at the path'],
  EACCES: ['cannot be read: permission denied', 'make it readable for the user that runs layerpull'],
  EISDIR: ['is a directory', 'name a file'],
};

export function unreadable(file: string, error: unknown, from: string): LayerpullError {
  const known = readProblems[systemCodeOf(error) ?? ''];
  const [problem, hint] = known ?? [`cannot be read: ${messageOf(error)}`, 'look at the path'];
  return bad(file, problem, hint, from, error);
}

export function bad(file: string, problem: string, hint: string, from = '', cause?: unknown): LayerpullError {
  const where = from === '' ? '' : `${from}: `;
  return new LayerpullError('usage', `${where}${file} ${problem}`, { hint, cause });
}
