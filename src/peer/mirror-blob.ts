import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../core/clock.ts';
import type { Digest } from '../core/digest.ts';
import { messageOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { refusal } from './mirror-errors.ts';
import type { MirrorBlob } from './mirror-port.ts';
import { readRange } from './mirror-range.ts';

export interface BlobExchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly clock: Clock;
  readonly log: Log;
  /** Aborts when the client goes. */
  readonly signal: AbortSignal;
}

/**
 * Milliseconds that the first bytes may take until the headers go without them: what fails before can still be said with
 * a status, so that the client asks the registry itself.
 */
const headersAfterMs = 5_000;

/** Answers with a blob or a range of it, as the bytes come. */
export async function sendBlob(
  { descriptor, read }: MirrorBlob,
  exchange: BlobExchange,
): Promise<FastifyReply> {
  const { request, reply, clock, signal } = exchange;
  const { digest, size } = descriptor;
  reply.headers({ 'accept-ranges': 'bytes', 'docker-content-digest': digest, etag: `"${digest}"` });
  const asked = readRange(request.headers.range, size);
  if (asked.kind === 'none') {
    const { status, body } = refusal(416, 'RANGE_INVALID', `the blob has ${size} bytes`);
    return reply.code(status).header('content-range', `bytes */${size}`).send(body);
  }
  reply.header('content-type', 'application/octet-stream');
  if (request.method === 'HEAD' || size === 0) {
    return reply.header('content-length', size).send(Buffer.alloc(0));
  }
  const range = asked.kind === 'part' ? asked.range : { start: 0, end: size - 1 };
  const begun = await beginning(read(range, signal)[Symbol.asyncIterator](), clock, signal);
  reply.header('content-length', range.end - range.start + 1);
  if (asked.kind === 'part') {
    reply.code(206).header('content-range', `bytes ${range.start}-${range.end}/${size}`);
  }
  return await stream(begun, digest, exchange);
}

/** The headers go now, whenever the first bytes come; what fails from here on breaks the connection. */
async function stream(
  bytes: AsyncIterable<Uint8Array>,
  digest: Digest,
  { reply, log, signal }: BlobExchange,
): Promise<FastifyReply> {
  reply.hijack();
  const { raw, statusCode } = reply;
  raw.writeHead(statusCode, plain(reply.getHeaders()));
  raw.flushHeaders();
  try {
    await pipeline(Readable.from(bytes, { objectMode: false }), raw);
  } catch (error) {
    raw.destroy();
    if (!signal.aborted) log.debug({ digest, reason: messageOf(error) }, 'a blob was broken off');
  }
  return reply;
}

function plain(headers: Readonly<Record<string, number | string | string[] | undefined>>) {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value ?? '']));
}

/** The iteration once its first bytes are there, or once they take too long. Throws what comes in their place. */
async function beginning(
  body: AsyncIterator<Uint8Array>,
  clock: Clock,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  const first = body.next();
  first.catch(() => {});
  const begun = new AbortController();
  const waited = clock.sleep(headersAfterMs, AbortSignal.any([signal, begun.signal])).catch(() => {});
  await Promise.race([first, waited]).finally(() => begun.abort());
  return continued(first, body);
}

async function* continued(
  first: Promise<IteratorResult<Uint8Array>>,
  body: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    for (let step = await first; !step.done; step = await body.next()) yield step.value;
  } finally {
    await body.return?.();
  }
}
