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
  /**
   * Tells that nobody else is to be sent here, and hears who still is. Resolves once the server has answered, or is out
   * of reach; never throws.
   */
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

/** How often one looks whether somebody reads, in milliseconds. */
const lookEveryMs = 50;
/** Whoever was sent here and does not read is done soon, or never comes: milliseconds between two questions for it. */
const askEveryMs = 250;
/** Readers of which the lock server knows nothing, or nothing any more, are left sooner: as soon as they would leave a peer. */
const strangerMs = 5_000;

/**
 * Stays until nobody reads from here and the lock server sends nobody, or until those who are left get nothing for
 * `lingerMs`. Before that nobody else is sent here. Never throws.
 */
export async function linger(options: LingerOptions): Promise<void> {
  const { served, session, clock, lingerMs, onStay, signal } = options;
  if (signal.aborted || lingerMs === 0) return;
  const ask = await firstAnswer(options);
  let sent = served.bytesSent();
  let quietSinceMs = clock.now();
  const isNeeded = () => !signal.aborted && (session.children > 0 || served.readers() > 0);
  if (isNeeded()) onStay?.();
  while (isNeeded()) {
    if (served.readers() === 0) ask();
    await clock.sleep(lookEveryMs, signal).catch(() => {});
    const sentNow = served.bytesSent();
    if (sentNow !== sent) quietSinceMs = clock.now();
    sent = sentNow;
    const patienceMs = session.children > 0 ? lingerMs : Math.min(lingerMs, strangerMs);
    if (clock.now() - quietSinceMs >= patienceMs) return;
  }
}

/** Answers what asks again, unless that is under way or was just now. */
async function firstAnswer({ session, clock, signal }: LingerOptions): Promise<() => void> {
  let askedMs = clock.now();
  await abortable(session.drain(), signal).catch(() => {});
  let isAsking = false;
  return () => {
    if (isAsking || clock.now() - askedMs < askEveryMs) return;
    isAsking = true;
    askedMs = clock.now();
    void session.drain().finally(() => {
      isAsking = false;
    });
  };
}
