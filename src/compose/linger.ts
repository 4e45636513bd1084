import { abortable } from '../core/abort.ts';
import type { Clock } from '../core/clock.ts';

/** Who reads from this node. */
export interface Readers {
  /** Requests that are being answered. */
  readers(): number;
  /** Bytes of layers sent so far. */
  bytesSent(): number;
}

/** Whom the lock server sends to this node. */
export interface Drainable {
  /** Tells that nobody else is to be sent here. Resolves once the server knows, or is out of reach; never throws. */
  drain(): Promise<void>;
  /** Holders of other stores that were told to read here, as the server said last; 0 while it is out of reach. */
  readonly children: number;
}

export interface LingerOptions {
  readonly served: Readers;
  readonly session: Drainable;
  readonly clock: Clock;
  /** Milliseconds without a byte after which those who read here are left. */
  readonly lingerMs: number;
  /** Told once, when there is somebody to stay for. */
  readonly onStay?: (() => void) | undefined;
  /** Ends the wait at once. */
  readonly signal: AbortSignal;
}

/** Short beside the time that one more layer takes. */
const lookEveryMs = 250;

/**
 * Stays until nobody reads from here and the lock server sends nobody, or until those who are left get nothing for
 * `lingerMs`. Before that nobody else is sent here. Never throws.
 */
export async function linger(options: LingerOptions): Promise<void> {
  const { served, session, clock, lingerMs, onStay, signal } = options;
  if (signal.aborted || lingerMs === 0) return;
  await abortable(session.drain(), signal).catch(() => {});
  let sent = served.bytesSent();
  let quietSinceMs = clock.now();
  const isNeeded = () => !signal.aborted && (session.children > 0 || served.readers() > 0);
  if (isNeeded()) onStay?.();
  while (isNeeded()) {
    await clock.sleep(lookEveryMs, signal).catch(() => {});
    const sentNow = served.bytesSent();
    if (sentNow !== sent) quietSinceMs = clock.now();
    sent = sentNow;
    if (clock.now() - quietSinceMs >= lingerMs) return;
  }
}
