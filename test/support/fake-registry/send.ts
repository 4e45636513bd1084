import type { IncomingMessage, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import type { FakeBlob } from './content.ts';
import type { Fault } from './faults.ts';
import type { InnerGate } from './gate.ts';

export interface Sending {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly content: FakeBlob;
  readonly fault: Fault | undefined;
  readonly gate: InnerGate | undefined;
  /** Ends waits at gates when the registry closes. */
  readonly closed: Promise<void>;
  onBytes(bytes: number): void;
}

interface Span {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

const pieceBytes = 65_536;

/** An error as the OCI distribution specification writes it. */
export function refuse(
  response: ServerResponse,
  status: number,
  code: string,
  message: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify({ errors: [{ code, message, detail: null }] }));
}

/** Answers a GET or HEAD for existing content, with all that the fault wants. */
export async function sendContent(sending: Sending): Promise<void> {
  const { request, response, content, fault } = sending;
  const bytes = alteredBytes(content.bytes, fault);
  if (fault?.kind === 'contentRange') return await sendClaimedRange(sending, fault.value);
  const ranged = fault?.kind === 'ignoresRange' ? undefined : request.headers.range;
  const span = parseRange(ranged, content.size);
  if (span === 'unsatisfiable') return refuse(response, 416, 'RANGE_INVALID', 'range not satisfiable');
  const from = fault?.kind === 'shiftedBytes' ? 0 : (span?.start ?? 0);
  const body = span ? bytes.subarray(from, from + span.end - span.start) : bytes;
  response.writeHead(span ? 206 : 200, headersFor(sending, body.length, span));
  if (request.method === 'HEAD') return void response.end();
  await writeBody(sending, body, span?.start ?? 0);
}

/** A 206 whose bytes are those asked for, and whose `Content-Range` says what it likes. */
async function sendClaimedRange(sending: Sending, value: string | undefined): Promise<void> {
  const { request, response, content } = sending;
  const span = parseRange(request.headers.range, content.size);
  const start = span && span !== 'unsatisfiable' ? span.start : 0;
  const body = content.bytes.subarray(start);
  const claim = value === undefined ? {} : { 'content-range': value };
  response.writeHead(206, { 'content-type': content.mediaType, 'content-length': body.length, ...claim });
  await writeBody(sending, body, start);
}

function alteredBytes(bytes: Buffer, fault: Fault | undefined): Buffer {
  if (fault?.kind === 'wrongDigest') return Buffer.from(bytes.map((byte) => byte ^ 0xff));
  if (fault?.kind === 'tooLong' || fault?.kind === 'wrongLength') {
    return Buffer.concat([bytes, Buffer.alloc(fault.extraBytes, 'x')]);
  }
  if (fault?.kind === 'tooShort') return bytes.subarray(0, bytes.length - fault.missingBytes);
  if (fault?.kind === 'compressed') return gzipSync(bytes);
  return bytes;
}

function headersFor(sending: Sending, length: number, span: Span | undefined) {
  const { content, fault } = sending;
  const shift = fault?.kind === 'wrongContentRange' ? 1 : 0;
  const undeclared = fault?.kind === 'tooLong' || fault?.kind === 'truncating';
  const lie = `sha256:${'0'.repeat(64)}`;
  return {
    'content-type': content.mediaType,
    'docker-content-digest': fault?.kind === 'lyingDigestHeader' ? lie : content.digest,
    'accept-ranges': 'bytes',
    ...(fault?.kind === 'compressed' && fault.declared ? { 'content-encoding': 'gzip' } : {}),
    ...(undeclared ? {} : { 'content-length': length }),
    ...(span
      ? { 'content-range': `bytes ${span.start + shift}-${span.end - 1 + shift}/${content.size}` }
      : {}),
  };
}

async function writeBody(sending: Sending, body: Buffer, from: number): Promise<void> {
  const { fault, response } = sending;
  const cut = cutOf(fault) ?? body.length;
  const gone = goneOf(response);
  const sent = await writePieces(sending, body.subarray(0, cut), from, gone);
  if (!sent) return;
  if (fault?.kind === 'stalling') return response.flushHeaders();
  if (fault?.kind !== 'flaky') return void response.end();
  response.flushHeaders();
  await new Promise((resolve) => setImmediate(resolve));
  response.socket?.resetAndDestroy();
}

function cutOf(fault: Fault | undefined): number | undefined {
  const cuts = fault?.kind === 'flaky' || fault?.kind === 'truncating' || fault?.kind === 'stalling';
  return cuts ? fault.afterBytes : undefined;
}

/** Answers false when the client or the registry went away meanwhile. */
async function writePieces(
  sending: Sending,
  body: Buffer,
  from: number,
  gone: Promise<void>,
): Promise<boolean> {
  const { response, onBytes } = sending;
  for (let at = 0; at < body.length; ) {
    const allowed = await allowedBytes(sending, from + at, gone);
    if (allowed === 0 || response.destroyed) return false;
    const piece = body.subarray(at, at + Math.min(allowed, pieceBytes));
    at += piece.length;
    const written = new Promise<void>((resolve) => response.write(piece, () => resolve()));
    await Promise.race([written, gone]);
    onBytes(piece.length);
  }
  return !response.destroyed;
}

/** How many bytes may be sent at `position`; 0 once nobody wants them any more. */
async function allowedBytes(
  { gate, closed }: Sending,
  position: number,
  gone: Promise<void>,
): Promise<number> {
  if (!gate) return Number.POSITIVE_INFINITY;
  let over = false;
  const ended = Promise.race([closed, gone]).then(() => {
    over = true;
  });
  while (gate.limit() <= position) {
    await Promise.race([gate.wait(), ended]);
    if (over) return 0;
  }
  return gate.limit() - position;
}

/** Resolves when the response is over, one way or the other. */
async function goneOf(response: ServerResponse): Promise<void> {
  if (!response.destroyed) await new Promise<void>((resolve) => response.once('close', () => resolve()));
}

function parseRange(header: string | undefined, size: number): Span | 'unsatisfiable' | undefined {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(header ?? '') ?? [];
  if (first === undefined) return undefined;
  const start = Number(first);
  const end = last ? Math.min(Number(last) + 1, size) : size;
  return start >= end ? 'unsatisfiable' : { start, end };
}
