import { createServer } from 'node:http';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Clock } from '../core/clock.ts';
import { isLayerpullError, messageOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { sendBlob } from './mirror-blob.ts';
import { admit, type MirrorDoor } from './mirror-door.ts';
import { challenge, type Refusal, refusal, refusalOf } from './mirror-errors.ts';
import { type MirrorTarget, parseTarget } from './mirror-path.ts';
import type { Caller, MirrorContent } from './mirror-port.ts';
import type { MirrorWork } from './mirror-work.ts';

export interface MirrorAppOptions {
  readonly content: MirrorContent;
  readonly clock: Clock;
  readonly log: Log;
  readonly work: MirrorWork;
  /** Default: plain http, and everyone is served. */
  readonly door?: MirrorDoor | undefined;
  /** Of this mirror, in the user agent that it shows to registries: who shows it here is the mirror itself. */
  readonly ownName?: string | undefined;
}

/** Longer heads than this are refused. */
const maxHeaderBytes = 32_768;
/** More than a node's container runtime ever has. */
const maxConnections = 1_024;
/** Milliseconds without a byte on a connection until it is cut: clients wait as long for a byte. */
const idleMs = 300_000;

/** A read-only OCI distribution API. */
export function createMirrorApp(options: MirrorAppOptions): FastifyInstance {
  const serve = options.door?.createServer ?? createServer;
  const app: FastifyInstance = Fastify({
    serverFactory: (handler) => {
      const server = serve({ maxHeaderSize: maxHeaderBytes }).on('request', handler);
      server.maxConnections = maxConnections;
      server.setTimeout(idleMs);
      return server;
    },
    exposeHeadRoutes: false,
    bodyLimit: 1,
    frameworkErrors: (error, _, reply) =>
      void send(reply, refusal(400, 'NAME_INVALID', error.message.slice(0, 200))),
    return503OnClosing: false,
  });
  app.addHook('onRequest', async (_, reply) => {
    reply.header('docker-distribution-api-version', 'registry/2.0');
  });
  app.get('/healthz', async () => ({ status: 'ok' }));
  // Every path comes here as it was sent: names have slashes, and nothing is guessed at.
  app.setNotFoundHandler((request, reply) => answer(options, request, reply));
  app.setErrorHandler(
    (_, __, reply) => void send(reply, refusal(400, 'UNSUPPORTED', 'a request that cannot be read')),
  );
  return app;
}

async function answer(
  options: MirrorAppOptions,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { door, log } = options;
  const admitted = admit(door, request.raw);
  if ('refused' in admitted) {
    return send(reply, refusal(401, 'UNAUTHORIZED', admitted.refused, { 'www-authenticate': challenge }));
  }
  const { caller } = admitted;
  try {
    return await route(options, request, reply, caller);
  } catch (error) {
    const refused = refusalOf(error, caller);
    const reason = messageOf(error);
    if (isLayerpullError(error))
      log.debug({ url: request.url, status: refused.status, reason }, 'not served');
    else log.error({ url: request.url, err: error }, 'a request to the mirror failed');
    return send(reply, refused);
  }
}

async function route(
  options: MirrorAppOptions,
  request: FastifyRequest,
  reply: FastifyReply,
  caller: Caller,
): Promise<FastifyReply> {
  const { method } = request;
  if (method !== 'GET' && method !== 'HEAD') {
    return send(reply.header('allow', 'GET, HEAD'), refusal(405, 'UNSUPPORTED', 'the mirror is read-only'));
  }
  const target = parseTarget(request.raw.url ?? '/');
  if (isOwnRequest(options, request))
    return send(reply, refusal(404, 'NAME_UNKNOWN', 'the mirror asks itself'));
  if (options.work.isEnding && beginsPull(target))
    return send(reply, refusal(503, 'UNAVAILABLE', 'the mirror is about to end'));
  options.work.count(reply.raw);
  return await serve(options, target, request, reply, caller);
}

/** What a tag means is asked first of all. */
function beginsPull(target: MirrorTarget): boolean {
  return target.kind === 'manifest' && target.reference.digest === undefined;
}

/** The registry that was asked for, or a mirror of it, is this mirror. */
function isOwnRequest({ ownName }: MirrorAppOptions, { headers }: FastifyRequest): boolean {
  return ownName !== undefined && (headers['user-agent'] ?? '').includes(ownName);
}

async function serve(
  { content, clock, log }: MirrorAppOptions,
  target: MirrorTarget,
  request: FastifyRequest,
  reply: FastifyReply,
  caller: Caller,
): Promise<FastifyReply> {
  const signal = goneSignal(reply);
  switch (target.kind) {
    case 'base':
      // Tells clients that send credentials only where they are asked for that they may.
      return reply.header('www-authenticate', challenge).type('application/json').send('{}');
    case 'other':
      return send(
        reply,
        refusal(404, 'UNSUPPORTED', 'the mirror serves manifests and blobs; ask the registry'),
      );
    case 'manifest': {
      const { descriptor, bytes } = await content.resolve(target.reference, caller, signal);
      const { digest, mediaType } = descriptor;
      reply.headers({ 'docker-content-digest': digest, etag: `"${digest}"`, 'content-type': mediaType });
      reply.header('content-length', bytes.length);
      return reply.send(Buffer.from(bytes));
    }
    case 'blob': {
      const blob = await content.blob(target.reference, caller, signal);
      return await sendBlob(blob, { request, reply, clock, log, signal });
    }
  }
}

/** Aborts when the client goes before it has everything. */
function goneSignal({ raw }: FastifyReply): AbortSignal {
  const gone = new AbortController();
  raw.once('close', () => {
    if (!raw.writableFinished) gone.abort(new Error('the client went away'));
  });
  return gone.signal;
}

export function send(reply: FastifyReply, { status, headers, body }: Refusal): FastifyReply {
  return reply.code(status).headers(headers).type('application/json').send(body);
}
