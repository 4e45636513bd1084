import { abortable } from '../core/abort.ts';
import { credentialName, type Scope, scopeKey } from './auth.ts';
import { basicHeader, type Credentials } from './credentials/credentials.ts';

/** `Authorization` of somebody with a password (RFC 7617). */
export interface Password {
  readonly header: string;
  /** Where it came from. */
  readonly from: string;
}

/** Passwords of registries that ask for them directly, kept once they were asked for. */
export interface Passwords {
  current(scope: Scope): Password | undefined;
  /** Another one than `used`, which the registry refused, or the first; undefined where there is none. */
  renew(scope: Scope, used: string | undefined, signal: AbortSignal): Promise<Password | undefined>;
}

/** @param closed ends a search under way when the registry client closes */
export function createPasswords(credentials: Credentials, closed: AbortSignal): Passwords {
  const known = new Map<string, Password>();
  const flights = new Map<string, Promise<Password | undefined>>();

  const find = async (scope: Scope): Promise<Password | undefined> => {
    const found = await credentials.find(credentialName(scope.endpoint), scope.repository, closed);
    if (found?.kind !== 'password') return undefined;
    const password = { header: basicHeader(found.username, found.password), from: found.from };
    known.set(scopeKey(scope), password);
    return password;
  };

  const findOnce = (scope: Scope): Promise<Password | undefined> => {
    const key = scopeKey(scope);
    const flight = flights.get(key) ?? find(scope).finally(() => flights.delete(key));
    flights.set(key, flight);
    return flight;
  };

  return {
    current: (scope) => known.get(scopeKey(scope)),
    async renew(scope, used, signal) {
      const entry = known.get(scopeKey(scope));
      if (entry && entry.header !== used) return entry;
      const found = await abortable(findOnce(scope), signal);
      return found?.header === used ? undefined : found;
    },
  };
}
