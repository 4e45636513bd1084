import type { FastifyInstance } from 'fastify';
import type { Locks } from '../locks.ts';
import { sourceReplyToWire, sourceRequestSchema } from '../protocol/sources.ts';
import { send } from './errors.ts';
import { goneSignal } from './routes-locks.ts';
import type { ValibotTypes } from './validate.ts';

/** How a holder fares with its source, and where to read on. */
export function addSourceRoutes(base: FastifyInstance, locks: Locks): void {
  const app = base.withTypeProvider<ValibotTypes>();
  app.post('/sources', { schema: { body: sourceRequestSchema } }, async ({ body }, reply) =>
    send(reply, sourceReplyToWire(await locks.sources(body, goneSignal(reply)))),
  );
}
