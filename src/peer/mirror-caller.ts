import { createHmac } from 'node:crypto';
import { basicHeader, type Credential, type Credentials } from '../registry/credentials/credentials.ts';
import type { Caller } from './mirror-port.ts';

const longestAuthorization = 16_384;
const from = 'the request to the mirror';

/** What was shown as credentials for the registry; undefined for what cannot be read as any. */
export function readCredential(authorization: string): Credential | undefined {
  if (authorization.length > longestAuthorization) return undefined;
  const [, scheme = '', value = ''] = /^(\S+) +(\S+)$/.exec(authorization.trim()) ?? [];
  if (scheme.toLowerCase() === 'bearer') return { kind: 'registry', token: value, from };
  if (scheme.toLowerCase() !== 'basic') return undefined;
  const pair = Buffer.from(value, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  if (colon < 0) return undefined;
  return { kind: 'password', username: pair.slice(0, colon), password: pair.slice(colon + 1), from };
}

/** A client that was asked for a password and has none shows an empty one: nobody. */
export function readCaller(authorization: string | undefined): Caller {
  if (authorization === undefined || authorization === basicHeader('', '')) return {};
  return { authorization };
}

/** Credentials of a caller: for the registry that it asked for, and for no server beside it. */
export function shownTo(registry: string, credential: Credential | undefined): Credentials {
  return { find: async (host) => (host === registry ? credential : undefined) };
}

/** A name for who asks that gives nothing away without the key. */
export function callerName({ authorization }: Caller, key: Uint8Array, asAgent: boolean): string {
  if (authorization === undefined) return asAgent ? 'agent' : 'anonymous';
  return createHmac('sha256', key).update(authorization).digest('hex');
}
