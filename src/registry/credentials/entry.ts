import * as v from 'valibot';
import type { Credential, SecretOfUser } from './credentials.ts';

const text = v.nullish(v.string(), '');

/** An entry of `auths`, as docker and podman write it. */
const entrySchema = v.object({
  auth: text,
  username: text,
  password: text,
  identitytoken: text,
  registrytoken: text,
});

/** What could stand in a header. */
const headerToken = /^[\x21-\x7e]+$/;

/**
 * Reads one entry of `auths`. Undefined for one without credentials, which docker writes beside a helper; `damaged` for
 * one that makes no sense. Of several kinds in one entry the first of registry token, identity token and password
 * counts, as with docker.
 */
export function readEntry(value: unknown, from: string): Credential | 'damaged' | undefined {
  const parsed = v.safeParse(entrySchema, value);
  if (!parsed.success) return 'damaged';
  const { auth, identitytoken, registrytoken } = parsed.output;
  const pair = auth === '' ? parsed.output : decodeAuth(auth);
  if (!pair) return 'damaged';
  const { username, password } = pair;
  if (registrytoken !== '') {
    return headerToken.test(registrytoken) ? { kind: 'registry', token: registrytoken, from } : 'damaged';
  }
  if (identitytoken !== '') return { kind: 'identity', username, token: identitytoken, from };
  if (username === '' && password === '') return undefined;
  return { kind: 'password', username, password, from };
}

/** `USER:PASSWORD` in base64; the password may have colons, and zeros of older versions behind it. */
function decodeAuth(auth: string): { readonly username: string; readonly password: string } | undefined {
  const base64 = auth.replace(/[\r\n]/g, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return undefined;
  const decoded = Buffer.from(base64, 'base64').toString();
  const colon = decoded.indexOf(':');
  if (colon < 0) return undefined;
  return {
    username: decoded.slice(0, colon),
    password: decoded.slice(colon + 1).replace(/\0+$/, ''),
  };
}

/** The entry for a password or an identity token, as docker writes it. */
export function writeEntry(credential: SecretOfUser): Record<string, string> {
  const password = credential.kind === 'password' ? credential.password : '';
  const auth = Buffer.from(`${credential.username}:${password}`).toString('base64');
  return credential.kind === 'password' ? { auth } : { auth, identitytoken: credential.token };
}
