import type { HttpRequest } from '../http/client.ts';
import { type FollowedResponse, sendFollowing } from '../http/redirects.ts';
import type { Scope, Tokens } from './auth.ts';
import type { Passwords } from './basic.ts';
import { asksForPassword, findTokenService } from './challenge.ts';
import type { Account } from './denied.ts';
import { isAnswerOf } from './endpoint.ts';
import type { Transport } from './transport.ts';

export type ReadRequest = Omit<HttpRequest, 'method' | 'body' | 'signal'> & {
  /** Default GET. */
  readonly method?: 'GET' | 'HEAD';
  readonly signal: AbortSignal;
};

/** A response, with whom it was given to where that is of the registry itself. */
export interface AccessResponse extends FollowedResponse {
  readonly account?: Account;
}

/** Reads from a repository as far as its reader may: the caller never sees a token or a password. */
export interface Access {
  /** Any status may come back, 401 where nothing helps. */
  get(scope: Scope, request: ReadRequest): Promise<AccessResponse>;
}

/** What is shown to a registry. */
interface Grant {
  readonly header: string;
  /** Where the credentials came from; undefined for an anonymous reader. */
  readonly from: string | undefined;
}

export function createAccess(transport: Transport, tokens: Tokens, passwords: Passwords): Access {
  const send = async (
    scope: Scope,
    request: ReadRequest,
    grant: Grant | undefined,
  ): Promise<AccessResponse> => {
    const authorization = grant ? { authorization: grant.header } : {};
    const headers = { ...request.headers, ...authorization };
    const response = await sendFollowing(transport, { ...request, method: request.method ?? 'GET', headers });
    if (!isAnswerOf(scope.endpoint, response.url)) return response;
    return { ...response, account: { registry: scope.endpoint.registry, from: grant?.from } };
  };

  const grantNow = async (scope: Scope, signal: AbortSignal): Promise<Grant | undefined> =>
    asGrant(await tokens.current(scope, signal)) ?? passwords.current(scope);

  /** Another grant than `used`; a token where the registry takes both. */
  const grantFor = async (
    scope: Scope,
    { headers, url }: FollowedResponse,
    used: Grant | undefined,
    signal: AbortSignal,
  ): Promise<Grant | undefined> => {
    const challenges = headers['www-authenticate'];
    const service = findTokenService(challenges);
    if (service) {
      const token = used?.header.replace(/^Bearer /, '');
      const named = { ...service, overHttp: url.protocol === 'http:' };
      return asGrant(await tokens.renew(scope, named, token, signal));
    }
    return asksForPassword(challenges) ? await passwords.renew(scope, used?.header, signal) : undefined;
  };

  return {
    async get(scope, request) {
      const { signal } = request;
      const used = await grantNow(scope, signal);
      const response = await send(scope, request, used);
      // A host that the registry redirected to may neither send us to a token service nor ask for a password.
      if (response.status !== 401 || !response.account) return response;
      const grant = await orDiscard(response, () => grantFor(scope, response, used, signal));
      if (!grant) return response;
      await response.discard();
      return await send(scope, request, grant);
    },
  };
}

function asGrant(token: { readonly value: string; readonly from: string | undefined } | undefined) {
  return token && { header: `Bearer ${token.value}`, from: token.from };
}

/** Nobody reads the answer that asked for access when there is none to be had. */
async function orDiscard<T>(response: FollowedResponse, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await response.discard();
    throw error;
  }
}
