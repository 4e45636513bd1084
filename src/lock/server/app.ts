import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import Fastify from 'fastify';
import type { Serving } from '../../http/serving.ts';
import { acceptAnyJson, maxBodyBytes } from './body.ts';
import type { Connections } from './connections.ts';
import { answerUnknownRoutes, send, sendError, stoppingError, wireError } from './errors.ts';
import type { Metrics } from './metrics.ts';
import { pieceBytes, piecesOf } from './pieces.ts';
import { addLockRoutes } from './routes-locks.ts';
import { addMetricsRoute } from './routes-metrics.ts';
import { addNodeRoutes } from './routes-nodes.ts';
import { addSessionRoutes } from './routes-sessions.ts';
import { addSourceRoutes } from './routes-sources.ts';
import type { StreamDeps } from './routes-streams.ts';
import { addStreamRoutes } from './routes-streams.ts';
import { refuseGuesses } from './strictness.ts';
import { compileSchema } from './validate.ts';

export interface AppDeps extends StreamDeps {
  readonly connections: Connections;
  readonly metrics?: Metrics | undefined;
  /** Default: everyone is served. */
  readonly serving?: Serving | undefined;
  /** Why nobody can be served now. Default: everybody can. */
  readonly trouble?: (() => string | undefined) | undefined;
}

export function createApp(deps: AppDeps): FastifyInstance {
  const app: FastifyInstance = Fastify({
    bodyLimit: maxBodyBytes,
    serverFactory: (handler) => deps.connections.createServer(handler),
    exposeHeadRoutes: false,
    // A session id has up to 256 characters, each of them up to 12 when it is escaped.
    routerOptions: { maxParamLength: 3_072 },
    frameworkErrors: (error, _, reply) =>
      void send(reply, wireError(400, error.message.slice(0, 200), 'invalid_request')),
    // Both are answered by the connections and by the hook below, with the errors of the protocol.
    clientErrorHandler: () => {},
    return503OnClosing: false,
  });
  refuseWhileStopping(app, deps);
  if (deps.serving) refuseStrangers(app, deps.serving);
  refuseGuesses(app);
  acceptAnyJson(app);
  sendInPieces(app);
  app.setValidatorCompiler(compileSchema);
  app.setErrorHandler((error, request, reply) => sendError(deps, request, reply, error));
  answerUnknownRoutes(app);
  addHealthRoutes(app, deps);
  addLockRoutes(app, deps);
  addSessionRoutes(app, deps.locks);
  addSourceRoutes(app, deps.locks);
  addNodeRoutes(app, deps.locks);
  addMetricsRoute(app, deps.metrics);
  addStreamRoutes(app, deps);
  return app;
}

function refuseWhileStopping(app: FastifyInstance, { streams }: AppDeps): void {
  app.addHook('onRequest', (request, reply, done) => {
    if (streams.stopping && request.routeOptions.url !== '/healthz') send(reply, stoppingError);
    else done();
  });
}

/** Whoever watches over the process, or chooses among servers, need not be known. */
const routesForAll: ReadonlySet<string> = new Set(['/healthz', '/readyz']);

/** Before the body is read. A path that leads nowhere, or is no path, is not told apart from the others. */
function refuseStrangers(app: FastifyInstance, serving: Serving): void {
  app.addHook('onRequest', (request, reply, done) => {
    const isForAll = routesForAll.has(request.routeOptions.url ?? '');
    const refusal = isForAll ? undefined : serving.refuse(request.raw);
    if (!refusal) return done();
    const { code, message, challenge } = refusal;
    send(reply.header('www-authenticate', challenge), wireError(401, message, code));
  });
}

/** Long answers too, so that one that is taken slowly is told from one that is not taken at all. */
function sendInPieces(app: FastifyInstance): void {
  app.addHook('onSend', (_, reply, payload, done) => {
    if (typeof payload !== 'string' || payload.length <= pieceBytes) return done(null, payload);
    const bytes = Buffer.from(payload);
    reply.header('content-length', bytes.length);
    return done(null, Readable.from(piecesOf(bytes)));
  });
}

/** `/healthz`: the process answers. `/readyz`: it takes new clients. */
function addHealthRoutes(app: FastifyInstance, { streams, connections, trouble }: AppDeps): void {
  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get('/readyz', async (_, reply) => {
    const reason = trouble?.();
    if (reason !== undefined) return send(reply, wireError(503, reason, 'lock_unreachable'));
    if (connections.isFull)
      return send(reply, wireError(503, 'as many connections are open as there may be', 'full'));
    if (streams.isFull)
      return send(reply, wireError(503, 'as many event streams are open as there may be', 'full'));
    return { status: 'ready' };
  });
}
