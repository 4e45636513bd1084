import type { Clock } from '../core/clock.ts';
import type { PullEvent } from '../orchestrator/events.ts';

/** Shows a pull while it runs. */
export interface ProgressView {
  handle(event: PullEvent): void;
  /** Leaves the terminal as it was; idempotent. Events that come later are dropped. */
  close(): void;
}

/** What a view needs of stderr. `isTTY`, `columns` and `rows` are there on a terminal. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

/** A terminal that does not know how wide it is, such as a serial line, cannot be drawn on: lines have no end there. */
export function canRedraw({ isTTY, columns }: ProgressStream): boolean {
  return isTTY === true && columns !== 0;
}

export interface ProgressOptions {
  readonly stream: ProgressStream;
  readonly clock: Clock;
  readonly color: boolean;
  /** Whether warnings are shown. The JSON form always has them. */
  readonly warnings: boolean;
}

/** Hands on the first of several warnings that say the same. */
export function onlyOnce(handle: (event: PullEvent) => void): (event: PullEvent) => void {
  const seen = new Set<string>();
  return (event) => {
    if (event.kind === 'warning') {
      const key = `${event.code} ${event.message}`;
      if (seen.has(key)) return;
      seen.add(key);
    }
    handle(event);
  };
}
