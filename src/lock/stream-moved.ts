import { LayerpullError } from '../core/errors.ts';
import { pauseBefore } from '../core/retry.ts';
import type { LinkBounds } from './session-bounds.ts';

/**
 * A stream that ended here goes on elsewhere: another server of the same service is there to be asked, so whoever
 * listens need not wait as long as for one that has to come back.
 */
export class StreamMoved extends LayerpullError {
  constructor(message: string, cause: unknown) {
    super('lock_unreachable', message, {
      hint: 'listen again: a stream begins with how things stand',
      cause,
    });
  }
}

/** The pause before the first move ends within this many milliseconds; each one soon after another may take longer. */
const spreadMs = 300;
const maxSpreadMs = 1_000;

export interface StreamPause {
  /** How often the stream ended in short order, with this time. */
  readonly failures: number;
  readonly hasMoved: boolean;
  readonly bounds: Pick<LinkBounds, 'reconnectMs' | 'maxReconnectMs'>;
  /** Random number in [0, 1). */
  readonly random: () => number;
}

/**
 * Milliseconds before a stream that ended is opened again. One that moved may follow at once: the pause is any up to its
 * longest, so that the many who lost one server do not come to the others at one moment.
 */
export function pauseBeforeStream({ failures, hasMoved, bounds, random }: StreamPause): number {
  if (hasMoved) return random() * Math.min(maxSpreadMs, spreadMs * failures);
  const { reconnectMs: delayMs, maxReconnectMs: maxDelayMs } = bounds;
  return pauseBefore(failures - 1, { delayMs, factor: 2, maxDelayMs, random });
}
