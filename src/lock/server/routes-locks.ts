import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Locks, ResourceRequest } from '../locks.ts';
import { acquireReplyToWire, releaseReplyToWire } from '../protocol/replies.ts';
import type { UnlockRequest } from '../protocol/requests.ts';
import { acquireSchema, listSchema, statusSchema, unlockSchema } from '../protocol/requests.ts';
import { listToWire, statusToWire } from '../protocol/views.ts';
import { mergeBodyIntoQuery } from './body.ts';
import type { Connections } from './connections.ts';
import { send } from './errors.ts';
import type { ValibotTypes } from './validate.ts';

export interface LockRouteDeps {
  readonly locks: Locks;
  readonly connections: Pick<Connections, 'carried'>;
}

/** Acquire, release, status, list: the hot path. */
export function addLockRoutes(base: FastifyInstance, { locks, connections }: LockRouteDeps): void {
  const app = base.withTypeProvider<ValibotTypes>();
  /** Clients without a session are watched by their connections. */
  const heard = ({ raw }: FastifyRequest, { sessionId, nodeId }: ResourceRequest) => {
    if (sessionId === undefined) connections.carried(raw.socket, nodeId);
  };
  app.post('/lock', { schema: { body: acquireSchema } }, async (request, reply) => {
    heard(request, request.body);
    return send(reply, acquireReplyToWire(await locks.acquire(request.body, goneSignal(reply))));
  });
  app.post('/unlock', { schema: { body: unlockSchema } }, async (request, reply) => {
    heard(request, request.body);
    return send(reply, await unlock(locks, request.body));
  });
  app.get(
    '/lock/status',
    { preValidation: mergeBodyIntoQuery, schema: { querystring: statusSchema } },
    async (request) => {
      heard(request, request.query);
      return statusToWire(await locks.status(request.query));
    },
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
