import type { FastifyInstance } from 'fastify';
import type { Locks } from '../locks.ts';
import { snapshotToWire } from '../protocol/events.ts';
import { sessionToWire } from '../protocol/replies.ts';
import { heartbeatSchema, openSessionSchema, sessionPathSchema } from '../protocol/requests.ts';
import { maxHeartbeatBytes } from './body.ts';
import type { ValibotTypes } from './validate.ts';

/** Open, heartbeat, close. */
export function addSessionRoutes(base: FastifyInstance, locks: Locks): void {
  const app = base.withTypeProvider<ValibotTypes>();
  app.post('/sessions', { schema: { body: openSessionSchema } }, async ({ body }) =>
    sessionToWire(await locks.openSession(body)),
  );
  app.put(
    '/sessions/:id',
    { bodyLimit: maxHeartbeatBytes, schema: { params: sessionPathSchema, body: heartbeatSchema } },
    async ({ params, body }) => snapshotToWire(await locks.renew(params.id, body)),
  );
  app.delete('/sessions/:id', { schema: { params: sessionPathSchema } }, async ({ params }, reply) => {
    await locks.closeSession(params.id);
    return reply.code(204).send();
  });
}
