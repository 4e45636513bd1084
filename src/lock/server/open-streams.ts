import type { ServerResponse } from 'node:http';

/** The event streams that a server has open, so that it can end them when it stops. */
export interface OpenStreams {
  readonly stopping: boolean;
  /** Whether there are as many as there may be. */
  readonly isFull: boolean;
  /** A signal that aborts when the client is gone, when `stopAll` is called, or with `stop`. */
  open(response: ServerResponse): { readonly signal: AbortSignal; stop(): void };
  /** Ends every stream, and those that are opened from now on. */
  stopAll(): void;
}

/** One controller per stream: a signal shared by all of them would collect listeners for as long as the server runs. */
export function createOpenStreams(maxStreams: number): OpenStreams {
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
    stopAll() {
      stopping = true;
      for (const controller of [...controllers]) controller.abort();
      controllers.clear();
    },
  };
}
