import type { Socket } from 'node:net';
import type { Clock } from '../../core/clock.ts';

interface Waiting {
  takenBytes: number;
  sinceMs: number;
}

export interface StallOptions {
  /** The connections as they are now. */
  sockets(): Iterable<Socket>;
  readonly stallMs: number;
  readonly clock: Clock;
  onStall(socket: Socket): void;
}

/**
 * Tells which clients take nothing for `stallMs` while bytes wait for them, a third of it later at most; one look at
 * all connections costs less than a timer for each. Returns how to stop.
 */
export function watchForStalls({ sockets, stallMs, clock, onStall }: StallOptions): () => void {
  const waiting = new WeakMap<Socket, Waiting>();
  const look = (socket: Socket) => {
    if (socket.writableLength === 0) return void waiting.delete(socket);
    const takenBytes = socket.bytesWritten - socket.writableLength;
    const known = waiting.get(socket);
    if (known?.takenBytes !== takenBytes) waiting.set(socket, { takenBytes, sinceMs: clock.now() });
    else if (clock.now() - known.sinceMs >= stallMs) onStall(socket);
  };
  return clock.every(Math.ceil(stallMs / 3), () => {
    for (const socket of sockets()) look(socket);
  });
}
