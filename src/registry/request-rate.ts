import type { Clock } from '../core/clock.ts';
import { createThrottle, type Throttle } from '../source/throttle.ts';
import type { Transport } from './transport.ts';

/**
 * `transport`, but with at most so many requests a second, spread evenly, whatever they are for: manifests, tokens,
 * layers and every redirect. Those that are ready to wait (`onHold`) let the others go first.
 *
 * @param requestsPerSecond 0: no limit
 */
export function limitingRequests(transport: Transport, clock: Clock, requestsPerSecond: number): Transport {
  if (requestsPerSecond === 0) return transport;
  const turns = createTurns(createThrottle({ clock, unitsPerSecond: requestsPerSecond, burstUnits: 1 }));
  return {
    async send(request) {
      request.onHold?.(true);
      await turns.next(request.onHold ? 'patient' : 'urgent', request.signal);
      request.onHold?.(false);
      return await transport.send(request);
    },
  };
}

interface Waiting {
  readonly go: () => void;
}

/** One at a time takes from the throttle, the urgent first. */
function createTurns(throttle: Throttle) {
  const lines = { urgent: new Set<Waiting>(), patient: new Set<Waiting>() };
  const isEmpty = () => lines.urgent.size + lines.patient.size === 0;
  let pause = new AbortController();
  let running = false;

  const run = async () => {
    if (running) return;
    running = true;
    while (!isEmpty()) {
      pause = new AbortController();
      const isFree = await throttle.take(1, pause.signal).then(
        () => true,
        () => false,
      );
      // Whoever came after the pause was cut short waits for a turn of its own.
      if (!isFree) continue;
      const line = lines.urgent.size > 0 ? lines.urgent : lines.patient;
      const [first] = line;
      if (first) line.delete(first);
      first?.go();
    }
    running = false;
  };

  const next = (line: keyof typeof lines, signal: AbortSignal | undefined) =>
    new Promise<void>((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const leave = () => {
        lines[line].delete(waiting);
        if (isEmpty()) pause.abort();
        reject(signal?.reason);
      };
      const waiting: Waiting = {
        go: () => {
          signal?.removeEventListener('abort', leave);
          resolve();
        },
      };
      lines[line].add(waiting);
      signal?.addEventListener('abort', leave, { once: true });
      void run();
    });

  return { next };
}
