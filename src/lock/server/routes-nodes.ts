import type { FastifyInstance } from 'fastify';
import type { Locks } from '../locks.ts';
import { nodesToWire } from '../protocol/nodes.ts';

/** Who is there: the cold path. */
export function addNodeRoutes(app: FastifyInstance, locks: Locks): void {
  app.get('/nodes', async () => nodesToWire(await locks.nodes()));
}
