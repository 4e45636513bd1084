import type { Server } from 'node:http';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { type Digest, isDigest } from '../core/digest.ts';
import { messageOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { Serving } from '../http/serving.ts';
import type { GrowingBlob, GrowingBlobs } from '../store/growing-blobs.ts';
import type { MirrorContent } from './mirror-port.ts';
import { bytesHeader } from './probe.ts';
import { type WantedRange, wantedOf } from './range.ts';
import { answerRecord } from './records.ts';
import type { Transfers } from './transfers.ts';

export interface PeerAppDeps {
  readonly blobs: GrowingBlobs;
  readonly transfers: Transfers;
  readonly log: Log;
  readonly serving: Serving;
  /** What references meant, where a mirror knows. */
  readonly recorded?: MirrorContent['recorded'] | undefined;
  readonly maxConnections: number;
  /** Whether the server is being closed. */
  readonly isClosing: () => boolean;
}

/** Names of OCI distribution-spec, "Error Codes"; `UNAVAILABLE` and `UNKNOWN` as other registries have them. */
type OciCode = 'BLOB_UNKNOWN' | 'DIGEST_INVALID' | 'UNAUTHORIZED' | 'UNSUPPORTED' | 'UNAVAILABLE' | 'UNKNOWN';

const version = { 'docker-distribution-api-version': 'registry/2.0' };

/** `GET /v2/`, and `GET` and `HEAD` of `/v2/<any name>/blobs/<digest>`: nothing else, and nothing that writes. */
export function createPeerApp(deps: PeerAppDeps): FastifyInstance {
  const app: FastifyInstance = Fastify({
    serverFactory: (handler) => {
      const server = deps.serving.createServer({});
      server.on('request', handler);
      return limited(server, deps.maxConnections);
    },
    bodyLimit: 1_024,
    exposeHeadRoutes: false,
    return503OnClosing: false,
    frameworkErrors: (error, _, reply) => void refuse(reply, 400, 'UNKNOWN', messageOf(error).slice(0, 200)),
  });
  app.addHook('onRequest', (request, reply, done) => {
    if (!admits(deps, request, reply)) return;
    done();
  });
  app.get('/v2/', async (_, reply) => reply.headers(version).send({}));
  app.head('/v2/', async (_, reply) => reply.headers(version).send());
  app.route({
    method: ['GET', 'HEAD'],
    url: '/v2/*',
    handler: (request, reply) => serve(deps, request, reply),
  });
  app.setNotFoundHandler((_, reply) => refuse(reply, 404, 'UNKNOWN', 'there is nothing here'));
  app.setErrorHandler((error, request, reply) => {
    deps.log.warn({ error: messageOf(error), url: request.url.slice(0, 400) }, 'a peer was not served');
    return refuse(reply, 500, 'UNKNOWN', 'this failed');
  });
  return app;
}

function limited(server: Server, maxConnections: number): Server {
  server.maxConnections = maxConnections;
  server.headersTimeout = 10_000;
  server.requestTimeout = 20_000;
  server.keepAliveTimeout = 65_000;
  return server;
}

function admits({ serving }: PeerAppDeps, { method, raw }: FastifyRequest, reply: FastifyReply): boolean {
  if (method !== 'GET' && method !== 'HEAD') {
    void refuse(reply.header('allow', 'GET, HEAD'), 405, 'UNSUPPORTED', 'this server only serves');
    return false;
  }
  const refusal = serving.refuse(raw);
  if (!refusal) return true;
  void refuse(reply.header('www-authenticate', refusal.challenge), 401, 'UNAUTHORIZED', refusal.message);
  return false;
}

function refuse(reply: FastifyReply, status: number, code: OciCode, message: string): FastifyReply {
  return reply
    .code(status)
    .headers(version)
    .send({ errors: [{ code, message }] });
}

async function serve(deps: PeerAppDeps, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const record = await answerRecord(deps.recorded, request, reply);
  if (record) return record;
  const name = /^\/v2\/.+\/blobs\/([^/]+)$/.exec(request.url.replace(/\?.*$/, ''))?.[1];
  if (name === undefined) return refuse(reply, 404, 'UNKNOWN', 'there are only blobs here');
  const digest = decoded(name);
  if (!isDigest(digest)) return refuse(reply, 400, 'DIGEST_INVALID', 'this is no digest');
  const blob = await deps.blobs.open(digest);
  if (!blob) return notHere(reply, digest);
  try {
    return await answer(deps, { request, reply, digest, blob });
  } finally {
    await blob.close();
  }
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

function notHere(reply: FastifyReply, digest: Digest): FastifyReply {
  return refuse(reply, 404, 'BLOB_UNKNOWN', `${digest} is not here`);
}

interface Exchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly digest: Digest;
  readonly blob: GrowingBlob;
}

async function answer(deps: PeerAppDeps, exchange: Exchange): Promise<unknown> {
  const { request, reply, digest, blob } = exchange;
  const wanted = wantedOf(request.headers.range, blob.size);
  if (wanted.kind === 'unknown') return notHere(reply, digest);
  if (wanted.kind === 'unsatisfiable') {
    return refuse(reply.header('content-range', `bytes */${wanted.size}`), 416, 'UNKNOWN', 'no such bytes');
  }
  const { range, kind } = wanted;
  if (deps.isClosing() || deps.transfers.isFull) {
    return refuse(reply.header('retry-after', '1'), 503, 'UNAVAILABLE', 'this peer serves enough others');
  }
  const headers = headersOf(digest, range, kind === 'part');
  if (request.method === 'HEAD') headers[bytesHeader] = String(await blob.bytes());
  // From here on the bytes go to the connection as they come, the headers before them.
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(kind === 'part' ? 206 : 200, headers);
  if (request.method === 'HEAD' || range.size === 0) return void raw.end();
  raw.flushHeaders();
  await deps.transfers.send(raw, digest, (signal) => blob.read(range, signal));
}

function headersOf(
  digest: Digest,
  { start, end, size }: WantedRange,
  isPart: boolean,
): Record<string, string> {
  return {
    ...version,
    'content-type': 'application/octet-stream',
    'content-length': String(end + 1 - start),
    'accept-ranges': 'bytes',
    'docker-content-digest': digest,
    ...(isPart ? { 'content-range': `bytes ${start}-${end}/${size}` } : {}),
  };
}
