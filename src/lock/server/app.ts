import type { FastifyInstance } from 'fastify';
import Fastify from 'fastify';
import { acceptAnyJson, maxBodyBytes } from './body.ts';
import type { Connections } from './connections.ts';
import { answerUnknownRoutes, send, sendError, wireError } from './errors.ts';
import type { Metrics } from './metrics.ts';
import type { OpenStreams } from './open-streams.ts';
import { addLockRoutes } from './routes-locks.ts';
import { addMetricsRoute } from './routes-metrics.ts';
import { addNodeRoutes } from './routes-nodes.ts';
import { addSessionRoutes } from './routes-sessions.ts';
import type { StreamDeps } from './routes-streams.ts';
import { addStreamRoutes } from './routes-streams.ts';
import { compileSchema } from './validate.ts';

export interface AppDeps extends StreamDeps {
  readonly connections: Connections;
  readonly metrics: Metrics | undefined;
}

export function createApp(deps: AppDeps): FastifyInstance {
  const app: FastifyInstance = Fastify({
    bodyLimit: maxBodyBytes,
    serverFactory: (handler) => deps.connections.createServer(handler),
    exposeHeadRoutes: false,
    // A session id has up to 256 characters, each of them up to 12 when it is escaped.
    routerOptions: { maxParamLength: 3_072 },
    frameworkErrors: (error, _, reply) => void send(reply, wireError(error.statusCode ?? 400, error.message)),
  });
  acceptAnyJson(app);
  app.setValidatorCompiler(compileSchema);
  app.setErrorHandler((error, request, reply) => sendError(deps.log, request, reply, error));
  answerUnknownRoutes(app);
  addHealthRoutes(app, deps.streams);
  addLockRoutes(app, deps.locks);
  addSessionRoutes(app, deps.locks);
  addNodeRoutes(app, deps.locks);
  addMetricsRoute(app, deps.metrics);
  addStreamRoutes(app, deps);
  return app;
}

/** `/healthz`: the process answers. `/readyz`: it takes requests. */
function addHealthRoutes(app: FastifyInstance, streams: OpenStreams): void {
  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get('/readyz', async (_, reply) =>
    streams.stopping ? send(reply, wireError(503, 'the lock server is stopping')) : { status: 'ready' },
  );
}
