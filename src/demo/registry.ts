import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../core/clock.ts';
import type { MadeBlob, MadeImage } from './image.ts';
import { parseRange, type Slice } from './range.ts';
import { createThrottle, type Throttle } from './throttle.ts';

export interface RegistryOptions {
  readonly image: MadeImage;
  readonly clock: Clock;
  /** For all connections together. */
  readonly bytesPerSecond: number;
}

/** A registry that serves one image on loopback, read-only. */
export interface Registry {
  /** `127.0.0.1:PORT/layerpull/demo:latest` */
  readonly reference: string;
  readonly url: string;
  /** Bytes of manifests and blobs handed out so far; those of headers are not counted. */
  bytesSent(): number;
  /** How often content was read with GET. */
  reads(digest: string): number;
  /** Ends connections in use. Idempotent. */
  close(): Promise<void>;
}

interface Serving {
  readonly image: MadeImage;
  readonly throttle: Throttle;
  readonly stopped: AbortSignal;
  readonly reads: Map<string, number>;
  bytesSent: number;
}

const repository = 'layerpull/demo';
const tag = 'latest';

/** Starts a registry that speaks the pull part of the OCI distribution API, with ranges, at a limited rate. */
export async function startRegistry(options: RegistryOptions): Promise<Registry> {
  const stop = new AbortController();
  const throttle = createThrottle(options);
  const serving: Serving = {
    image: options.image,
    throttle,
    stopped: stop.signal,
    reads: new Map(),
    bytesSent: 0,
  };
  const server = createServer((request, response) => answer(serving, request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    reference: `${host}/${repository}:${tag}`,
    url: `http://${host}`,
    bytesSent: () => serving.bytesSent,
    reads: (digest) => serving.reads.get(digest) ?? 0,
    close: () => close(server, stop),
  };
}

async function close(server: Server, stop: AbortController): Promise<void> {
  stop.abort();
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}

interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

const readOnly: Refusal = { status: 405, code: 'UNSUPPORTED', message: 'this registry is read-only' };
const noRepository: Refusal = { status: 404, code: 'NAME_UNKNOWN', message: 'no such repository' };
const noManifest: Refusal = { status: 404, code: 'MANIFEST_UNKNOWN', message: 'no such manifest' };
const noBlob: Refusal = { status: 404, code: 'BLOB_UNKNOWN', message: 'no such blob' };
const noSuchRange: Refusal = { status: 416, code: 'SIZE_INVALID', message: 'the range begins after the end' };

function answer(serving: Serving, request: IncomingMessage, response: ServerResponse): void {
  const path = (request.url ?? '/').split('?')[0] ?? '/';
  if (request.method !== 'GET' && request.method !== 'HEAD') refuse(response, readOnly);
  else if (path === '/v2/' || path === '/v2') response.writeHead(200).end();
  else answerContent(serving, find(serving.image, path), request, response);
}

function find(image: MadeImage, path: string): MadeBlob | Refusal {
  const [, kind, name] = /^\/v2\/layerpull\/demo\/(manifests|blobs)\/([^/]+)$/.exec(path) ?? [];
  if (kind === 'manifests') {
    return name === tag || name === image.manifest.descriptor.digest ? image.manifest : noManifest;
  }
  if (kind === 'blobs') {
    return [image.config, ...image.layers].find((blob) => blob.descriptor.digest === name) ?? noBlob;
  }
  return noRepository;
}

function answerContent(
  serving: Serving,
  found: MadeBlob | Refusal,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  if ('status' in found) {
    refuse(response, found);
    return;
  }
  const { size } = found.descriptor;
  const range = parseRange(request.headers.range, size);
  if (range === 'unsatisfiable') {
    response.setHeader('content-range', `bytes */${size}`);
    refuse(response, noSuchRange);
    return;
  }
  writeHead(response, found, range);
  if (request.method === 'HEAD') response.end();
  else send(serving, found, range ?? { start: 0, end: size }, response);
}

function writeHead(response: ServerResponse, blob: MadeBlob, range: Slice | undefined): void {
  const { size, digest, mediaType } = blob.descriptor;
  if (range) response.setHeader('content-range', `bytes ${range.start}-${range.end - 1}/${size}`);
  response.writeHead(range ? 206 : 200, {
    'content-type': mediaType,
    'content-length': range ? range.end - range.start : size,
    'docker-content-digest': digest,
    'accept-ranges': 'bytes',
  });
  response.flushHeaders();
}

function send(serving: Serving, blob: MadeBlob, slice: Slice, response: ServerResponse): void {
  const { digest } = blob.descriptor;
  serving.reads.set(digest, (serving.reads.get(digest) ?? 0) + 1);
  // A client that leaves early ends its own response, nothing else.
  pipeline(Readable.from(throttled(serving, blob, slice)), response).catch(() => {});
}

async function* throttled(serving: Serving, blob: MadeBlob, slice: Slice): AsyncGenerator<Uint8Array> {
  for (const piece of blob.bytes.read(slice.start, slice.end)) {
    await serving.throttle.take(piece.length, serving.stopped);
    serving.bytesSent += piece.length;
    yield piece;
  }
}

/** An error as the OCI distribution specification writes it. */
function refuse(response: ServerResponse, { status, code, message }: Refusal): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ errors: [{ code, message }] }));
}
