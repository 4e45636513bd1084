import { abortable } from '../core/abort.ts';
import type { Clock } from '../core/clock.ts';
import type { ServedLayers, SharingSession } from './share.ts';

export interface LingerOptions {
  readonly served: Pick<ServedLayers, 'readers' | 'bytesSent'>;
  readonly session: Pick<SharingSession, 'drain' | 'children'>;
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
