import type { Clock } from '../core/clock.ts';
import { formatBytesOf } from './text.ts';

export interface ReadProgressOptions {
  readonly stream: { write(text: string): unknown };
  readonly clock: Clock;
  /** Whether the stream is a terminal that may be written over. */
  readonly enabled: boolean;
}

export interface ReadProgress {
  readonly tell: (doneBytes: number, totalBytes: number) => void;
  /** Removes the line. Idempotent. */
  readonly close: () => void;
}

/** Often enough to look alive. */
const everyMs = 100;

/** One line that says how far reading is, and goes when it is done. */
export function createReadProgress({ stream, clock, enabled }: ReadProgressOptions): ReadProgress {
  let toldMs = Number.NEGATIVE_INFINITY;
  let isShown = false;
  return {
    tell: (doneBytes, totalBytes) => {
      if (!enabled || clock.now() - toldMs < everyMs) return;
      toldMs = clock.now();
      isShown = true;
      stream.write(`\r\u001b[Kchecking ${formatBytesOf(doneBytes, totalBytes)}`);
    },
    close: () => {
      if (isShown) stream.write('\r\u001b[K');
      isShown = false;
    },
  };
}
