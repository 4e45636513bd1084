import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import type { WireReply } from '../protocol/replies.ts';
import { retryAfterSeconds } from './errors.ts';

/** Milliseconds, and bytes, that a client may go on sending before it is cut off. */
const lingerMs = 1_000;
const maxDroppedBytes = 1_048_576;

/**
 * The last answer on a connection, for a client that may be sending still. What it sends is dropped for a moment: a
 * connection closed with unread bytes is reset, and the client would see that in place of the answer.
 */
export function sayFarewell(socket: Socket, reply: WireReply, clock: Clock): void {
  if (socket.writableEnded) return;
  dropInput(socket);
  socket.end(formatReply(reply));
  destroyLater(socket, clock);
}

/** Closes a connection unless it was closed within a second. */
export function destroyLater(socket: Socket, clock: Clock): void {
  const closed = new AbortController();
  socket.once('close', () => closed.abort());
  clock.sleep(lingerMs, closed.signal).then(
    () => socket.destroy(),
    () => {},
  );
}

/** An answer with its head, for where there is no request that a framework could answer. */
export function formatReply({ status, body }: WireReply): string {
  const text = JSON.stringify(body);
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(text)}`,
    ...(status === 503 ? [`retry-after: ${retryAfterSeconds}`] : []),
    'connection: close',
  ];
  return `${lines.join('\r\n')}\r\n\r\n${text}`;
}

function dropInput(socket: Socket): void {
  if (!socket.isPaused()) dropFromHere(socket);
  else {
    // A request that was not read to its end has paused its connection, and only its parser can start that again.
    socket.once('resume', () => dropFromHere(socket));
    socket.resume();
  }
}

function dropFromHere(socket: Socket): void {
  let droppedBytes = 0;
  // The parser of requests reads no more of it.
  socket.removeAllListeners('data');
  socket.on('data', (bytes: Buffer) => {
    droppedBytes += bytes.length;
    if (droppedBytes > maxDroppedBytes) socket.destroy();
  });
}
