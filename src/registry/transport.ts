import { isLayerpullError } from '../core/errors.ts';
import type { HttpClient } from '../http/client.ts';
import { unreachable } from './failures.ts';

/** Sends one request; a failure of the connection becomes an error that names the host. */
export type Transport = Pick<HttpClient, 'send'>;

export function namingHosts(http: HttpClient): Transport {
  return {
    async send(request) {
      try {
        return await http.send(request);
      } catch (error) {
        request.signal?.throwIfAborted();
        throw isLayerpullError(error) ? error : unreachable(request.url, error);
      }
    },
  };
}
