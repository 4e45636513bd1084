import type { ServerResponse } from 'node:http';
import type { Clock } from '../../core/clock.ts';

/** Milliseconds between two comments on a stream; a client may take one that is silent for longer for dead. */
const pingMs = 5_000;

/** The event streams that a server has open, so that it can end them when it stops. */
export interface OpenStreams {
  readonly stopping: boolean;
  /** Whether there are as many as there may be. */
  readonly isFull: boolean;
  /** A signal that aborts when the client is gone, when `stopAll` is called, or with `stop`. */
  open(response: ServerResponse): { readonly signal: AbortSignal; stop(): void };
  /** Calls `ping` every five seconds until the function that is returned is called. */
  ping(ping: () => void): () => void;
  /** Ends every stream, and those that are opened from now on. */
  stopAll(): void;
}

/** One controller per stream: a signal shared by all of them would collect listeners for as long as the server runs. */
export function createOpenStreams(maxStreams: number, clock: Clock): OpenStreams {
  const pings = new Set<() => void>();
  // One timer for all of them: thousands of timers cost memory, and would all be due at once anyway.
  const stopPings = clock.every(pingMs, () => {
    for (const ping of pings) ping();
  });
  const controllers = new Set<AbortController>();
  let stopping = false;
  return {
    get stopping() {
      return stopping;
    },
    get isFull() {
      return controllers.size >= maxStreams;
    },
    open(response) {
      const controller = new AbortController();
      const stop = () => {
        controllers.delete(controller);
        controller.abort();
      };
      controllers.add(controller);
      response.once('close', stop);
      if (stopping) stop();
      return { signal: controller.signal, stop };
    },
    ping(ping) {
      pings.add(ping);
      return () => pings.delete(ping);
    },
    stopAll() {
      stopPings();
      stopping = true;
      for (const controller of [...controllers]) controller.abort();
      controllers.clear();
    },
  };
}
