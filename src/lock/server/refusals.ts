import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import { wireError } from './errors.ts';
import { destroyLater, formatReply, sayFarewell } from './farewell.ts';

/** Connections over the cap that may send a request and get their answer to it. */
const maxListened = 256;
/** A server that is full says so in its log this often, in milliseconds, at most. */
const logMs = 10_000;

/** Connections that are one too many: each is told so and closed, within a second. */
export interface Refusals {
  refuse(socket: Socket): void;
  answer(request: IncomingMessage): void;
  /** Cuts those that are left. */
  cut(): void;
}

export function createRefusals(
  maxConnections: number,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Refusals {
  const full = wireError(503, `${maxConnections} connections are open already`, 'full');
  const listened = new Set<Socket>();
  let refused = 0;
  let loggedMs = Number.NEGATIVE_INFINITY;

  const tell = () => {
    refused += 1;
    if (clock.now() - loggedMs < logMs) return;
    log.warn({ maxConnections, refused }, 'connections are refused: the lock server has as many as it may');
    loggedMs = clock.now();
    refused = 0;
  };

  return {
    refuse(socket) {
      tell();
      // A reset is all that can go wrong with one that is answered unheard.
      socket.on('error', () => {});
      if (listened.size >= maxListened) {
        socket.end(formatReply(full));
        socket.destroySoon();
        return;
      }
      listened.add(socket);
      socket.once('close', () => listened.delete(socket));
      destroyLater(socket, clock);
    },
    answer({ socket, url }) {
      // Whoever watches over the process must not take a full server for a dead one.
      if (listened.has(socket))
        sayFarewell(socket, url === '/healthz' ? { status: 200, body: { status: 'ok' } } : full, clock);
    },
    cut() {
      for (const socket of listened) socket.destroy();
    },
  };
}
