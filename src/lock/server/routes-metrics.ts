import type { FastifyInstance } from 'fastify';
import type { Metrics } from './metrics.ts';

/** `/metrics`, where anybody measures. */
export function addMetricsRoute(app: FastifyInstance, metrics: Metrics | undefined): void {
  if (!metrics) return;
  app.get('/metrics', async (_, reply) => reply.type(metrics.contentType).send(await metrics.text()));
}
