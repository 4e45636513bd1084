import { createHttpClient, type HttpClient, type HttpClientOptions } from './client.ts';
import type { ClientTrust } from './fleet-trust.ts';

/**
 * A client for lock servers and peers alone: it shows them who we are. Never to be used for a registry, a mirror that
 * somebody else runs, or an address that either of them named.
 */
export function createFleetClient(options: HttpClientOptions, trust: ClientTrust | undefined): HttpClient {
  if (!trust) return createHttpClient(options);
  return withToken(createHttpClient({ ...options, ownTls: trust.tls }), trust);
}

/**
 * A client that sends the token with each request that does not follow a redirect elsewhere. Where it is refused, the
 * file may have changed a moment ago: then the new one is tried, once.
 */
function withToken(http: HttpClient, trust: ClientTrust): HttpClient {
  return {
    async send(request) {
      const token = request.isForeign ? undefined : trust.token();
      if (token === undefined) return await http.send(request);
      const sendWith = (bearer: string) =>
        http.send({ ...request, headers: { ...request.headers, authorization: `Bearer ${bearer}` } });
      const response = await sendWith(token);
      if (response.status !== 401) return response;
      trust.look();
      const next = trust.token();
      if (next === undefined || next === token) return response;
      await response.discard();
      return await sendWith(next);
    },
    close: () => http.close(),
  };
}
