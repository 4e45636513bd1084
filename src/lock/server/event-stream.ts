import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { pieceBytes, piecesOf } from './pieces.ts';

export interface WireEvent {
  /** Absent: an unnamed event. */
  readonly name?: string;
  readonly data: object;
}

export interface EventStream {
  /**
   * One event, piece by piece as the client has room for it, so that at most two pieces wait in memory. Events are
   * numbered from 1, or from where the client left off. A promise only where there was no room for all of it at once.
   */
  send(event: WireEvent): Promise<void> | undefined;
  /** Bytes that mean nothing, so that a client can tell a quiet stream from a dead one. Skipped while bytes wait for it. */
  ping(): void;
  end(): void;
}

/** Begins a stream of server-sent events; `signal` ends a write that waits for the client. */
export function startEventStream(
  response: ServerResponse,
  lastEventId: string | undefined,
  signal: AbortSignal,
): EventStream {
  let sequence = firstSequence(lastEventId);
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    // A stream that the server ends leaves no idle connection behind.
    connection: 'close',
    // Tells nginx, which buffers answers otherwise, to hand events on at once.
    'x-accel-buffering': 'no',
  });
  response.write('retry: 1000\n\n');
  return {
    send(event) {
      const text = format(event, sequence);
      sequence += 1;
      if (response.writableEnded || response.destroyed) return undefined;
      if (text.length > smallChars) return sendPieces(response, Buffer.from(text), signal);
      return response.write(text) ? undefined : drained(response, signal);
    },
    ping() {
      if (response.writableLength === 0 && !response.writableEnded) response.write(': ping\n\n');
    },
    end() {
      response.end();
    },
  };
}

/** Characters of an event that is surely no more than one piece. */
const smallChars = pieceBytes / 4;

async function sendPieces(response: ServerResponse, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
  for (const piece of piecesOf(bytes)) {
    if (response.writableEnded || response.destroyed) return;
    if (!response.write(piece)) await drained(response, signal);
  }
}

function format({ name, data }: WireEvent, sequence: number): string {
  const event = name === undefined ? '' : `event: ${name}\n`;
  return `id: ${sequence}\n${event}data: ${JSON.stringify(data)}\n\n`;
}

/** A client that comes back gets a fresh snapshot; its numbers go on so that they never repeat for it. */
function firstSequence(lastEventId: string | undefined): number {
  return lastEventId !== undefined && /^\d{1,15}$/.test(lastEventId) ? Number(lastEventId) + 1 : 1;
}

/** A connection that breaks while it is full never drains: its signal, or its error, ends the wait. */
async function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  await once(response, 'drain', { signal }).catch(() => {});
}
