import type { Client, Metadata, ServiceError } from '@grpc/grpc-js';
import type { Clock } from '../../../../core/clock.ts';
import { Silence } from './failures.ts';
import type { Method } from './methods.ts';

export interface AskOptions {
  readonly metadata: Metadata;
  readonly clock: Clock;
  /** Milliseconds until the call is given up. */
  readonly ms: number;
  readonly signal: AbortSignal | undefined;
}

/** One call with one reply. @throws ServiceError, `Silence`, the reason of an aborted `signal` */
export function ask<Request, Reply>(
  client: Client,
  { path, requestSerialize, responseDeserialize }: Method<Request, Reply>,
  request: Request,
  { metadata, clock, ms, signal }: AskOptions,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const over = new AbortController();
    const settle = () => {
      over.abort();
      signal?.removeEventListener('abort', onAbort);
    };
    const onReply = (error: ServiceError | null, reply?: Reply) => {
      settle();
      if (error) reject(error);
      else if (reply !== undefined) resolve(reply);
    };
    const call = client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      metadata,
      onReply,
    );
    const giveUp = (reason: unknown) => {
      settle();
      reject(reason);
      call.cancel();
    };
    const onAbort = () => giveUp(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    clock.sleep(ms, over.signal).then(
      () => giveUp(new Silence(ms)),
      () => {},
    );
  });
}
