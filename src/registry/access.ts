import type { HttpRequest } from '../http/client.ts';
import { type FollowedResponse, sendFollowing } from '../http/redirects.ts';
import type { Scope, Tokens } from './auth.ts';
import { findTokenService } from './challenge.ts';
import type { Transport } from './transport.ts';

export type ReadRequest = Omit<HttpRequest, 'method' | 'body' | 'signal'> & {
  /** Default GET. */
  readonly method?: 'GET' | 'HEAD';
  readonly signal: AbortSignal;
};

/** Reads from a repository as far as anonymous readers may: the caller never sees a token. */
export interface Access {
  /** Any status may come back, 401 where no token helps. */
  get(scope: Scope, request: ReadRequest): Promise<FollowedResponse>;
}

export function createAccess(transport: Transport, tokens: Tokens): Access {
  const send = (request: ReadRequest, token: string | undefined) =>
    sendFollowing(transport, {
      ...request,
      method: request.method ?? 'GET',
      headers: { ...request.headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
    });
  return {
    async get(scope, request) {
      const token = await tokens.current(scope, request.signal);
      const response = await send(request, token);
      if (response.status !== 401) return response;
      // A host that the registry redirected to may not send us to a token service.
      if (response.url.origin !== scope.endpoint.base.origin) return response;
      const service = findTokenService(response.headers['www-authenticate']);
      if (!service) return response;
      await response.discard();
      return await send(request, await tokens.renew(scope, service, token, request.signal));
    },
  };
}
