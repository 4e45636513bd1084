import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Locks } from '../locks.ts';
import { acquireReplyToWire, releaseReplyToWire } from '../protocol/replies.ts';
import type { UnlockRequest } from '../protocol/requests.ts';
import { acquireSchema, listSchema, statusSchema, unlockSchema } from '../protocol/requests.ts';
import { listToWire, statusToWire } from '../protocol/views.ts';
import { mergeBodyIntoQuery } from './body.ts';
import { send } from './errors.ts';
import type { ValibotTypes } from './validate.ts';

/** Acquire, release, status, list: the hot path. */
export function addLockRoutes(base: FastifyInstance, locks: Locks): void {
  const app = base.withTypeProvider<ValibotTypes>();
  app.post('/lock', { schema: { body: acquireSchema } }, async ({ body }, reply) =>
    send(reply, acquireReplyToWire(await locks.acquire(body, goneSignal(reply)))),
  );
  app.post('/unlock', { schema: { body: unlockSchema } }, async ({ body }, reply) =>
    send(reply, await unlock(locks, body)),
  );
  app.get(
    '/lock/status',
    { preValidation: mergeBodyIntoQuery, schema: { querystring: statusSchema } },
    async ({ query }) => statusToWire(await locks.status(query)),
  );
  app.get('/locks', { schema: { querystring: listSchema } }, async ({ query }) =>
    listToWire(await locks.list(query)),
  );
}

async function unlock(locks: Locks, request: UnlockRequest) {
  if (request.kind === 'decline') return releaseReplyToWire(await locks.decline(request), 'declined');
  return releaseReplyToWire(await locks.release(request));
}

/** Aborts when the client is gone before it got its answer. */
export function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  return gone.signal;
}
