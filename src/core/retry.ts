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
  /** Only errors that answer true are tried again. */
  readonly shouldRetry: (error: unknown) => boolean;
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
      if (round >= retries || !shouldRetry(error)) throw error;
      await clock.sleep(pauseBefore(round, options), signal);
    }
  }
}

/** The pause after failed round `round` (0 for the first), in milliseconds. */
export function pauseBefore(round: number, options: Omit<RetryOptions, 'clock' | 'shouldRetry'>): number {
  const { delayMs = 1_000, factor = 1, maxDelayMs = 30_000, random = Math.random } = options;
  const full = Math.min(maxDelayMs, delayMs * factor ** round);
  return full / 2 + (full / 2) * random();
}
