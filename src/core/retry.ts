import type { Clock } from './clock.ts';

export interface RetryOptions {
  readonly clock: Clock;
  /** Extra tries after the first. Default 3. */
  readonly retries?: number;
  /** Pause before the first retry, in milliseconds. Default 1,000. */
  readonly delayMs?: number;
  /** Each pause is this many times the one before. Default 1 (constant). */
  readonly factor?: number;
  /** Longest pause, in milliseconds. Default 30,000. */
  readonly maxDelayMs?: number;
  /** Random number in [0, 1): each pause lies between half of itself and the whole. Default `Math.random`. */
  readonly random?: () => number;
  /** Only errors that answer true are tried again. `round`: 0 for the first try. */
  readonly shouldRetry: (error: unknown, round: number) => boolean;
  /** Hears of each pause before it begins, in milliseconds. */
  readonly onPause?: ((error: unknown, ms: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Calls `attempt` (0, 1, 2 …) until it succeeds, its error must not be retried, or the tries are used up. */
export async function retry<T>(attempt: (round: number) => Promise<T>, options: RetryOptions): Promise<T> {
  const { retries = 3, signal, clock, shouldRetry } = options;
  for (let round = 0; ; round += 1) {
    signal?.throwIfAborted();
    try {
      return await attempt(round);
    } catch (error) {
      signal?.throwIfAborted();
      if (round >= retries || !shouldRetry(error, round)) throw error;
      const pauseMs = pauseAfter(error, round, options);
      options.onPause?.(error, pauseMs);
      await clock.sleep(pauseMs, signal);
    }
  }
}

export type PauseOptions = Pick<RetryOptions, 'delayMs' | 'factor' | 'maxDelayMs' | 'random'>;

/** The longest that a server may make us wait, in milliseconds. */
export const maxRetryAfterMs = 60_000;

/**
 * The pause after failed round `round` (0 for the first), in milliseconds. A server that said how long to wait is not
 * asked earlier, up to a minute; up to a tenth more keeps all who were told the same from coming back together.
 */
export function pauseAfter(error: unknown, round: number, options: PauseOptions): number {
  const own = pauseBefore(round, options);
  const asked = retryAfterOf(error);
  if (asked === undefined) return own;
  const { random = Math.random } = options;
  return Math.max(own, Math.min(maxRetryAfterMs, asked) * (1 + random() / 10));
}

function retryAfterOf(error: unknown): number | undefined {
  const asked = error instanceof Error && 'retryAfterMs' in error ? error.retryAfterMs : undefined;
  return typeof asked === 'number' ? asked : undefined;
}

/** The same without a word from the server. */
export function pauseBefore(round: number, options: PauseOptions): number {
  const { delayMs = 1_000, factor = 1, maxDelayMs = 30_000, random = Math.random } = options;
  const full = Math.min(maxDelayMs, delayMs * factor ** round);
  return full / 2 + (full / 2) * random();
}
