import type { Clock } from '../core/clock.ts';

/** A place in the pool of concurrent downloads. */
export interface Slot {
  /** Gives the place back; idempotent. */
  release(): void;
}

/** A bounded pool. `granted` requests are served before `fresh` ones, each in order of arrival. */
export interface Slots {
  /** Rejects with the signal's reason when aborted before a place was free. */
  take(priority: 'fresh' | 'granted', signal: AbortSignal): Promise<Slot>;
}

/** A pool without a bound, for callers that limit themselves. */
export const unlimitedSlots: Slots = { take: async () => ({ release() {} }) };

/** A slot if one comes within `ms` milliseconds, else undefined. */
export async function takeWithin(
  slots: Slots,
  ms: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<Slot | undefined> {
  const outOfTime = new AbortController();
  const taken = new AbortController();
  clock.sleep(ms, AbortSignal.any([signal, taken.signal])).then(
    () => outOfTime.abort(),
    () => {},
  );
  try {
    return await slots.take('granted', AbortSignal.any([signal, outOfTime.signal]));
  } catch (error) {
    signal.throwIfAborted();
    if (outOfTime.signal.aborted) return undefined;
    throw error;
  } finally {
    taken.abort();
  }
}
