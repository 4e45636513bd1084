import type { Clock } from '../../src/core/clock.ts';

export interface FakeClock extends Clock {
  /** Moves time forward, waking sleepers in order and letting what they started run. */
  advance(ms: number): Promise<void>;
  /** How many sleeps and repetitions are under way. */
  pending(): number;
}

interface Timer {
  at: number;
  readonly everyMs: number | undefined;
  readonly fire: () => void;
}

/** A clock that moves only when told to. */
export function createFakeClock(startWallMs = 1_700_000_000_000): FakeClock {
  const timers = new Set<Timer>();
  let nowMs = 0;

  const add = (ms: number, fire: () => void, everyMs?: number) => {
    const timer: Timer = { at: nowMs + ms, everyMs, fire };
    timers.add(timer);
    return () => timers.delete(timer);
  };

  const earliest = (limit: number) =>
    [...timers].filter((timer) => timer.at <= limit).sort((a, b) => a.at - b.at)[0];

  const fireNext = (limit: number): boolean => {
    const timer = earliest(limit);
    if (!timer) return false;
    nowMs = timer.at;
    if (timer.everyMs === undefined) timers.delete(timer);
    else timer.at += timer.everyMs;
    timer.fire();
    return true;
  };

  return {
    now: () => nowMs,
    wallNow: () => startWallMs + nowMs,
    pending: () => timers.size,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const onAbort = () => {
          remove();
          reject(signal?.reason);
        };
        const remove = add(ms, () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        });
        signal?.addEventListener('abort', onAbort, { once: true });
      }),
    every: (ms, callback) => {
      const remove = add(ms, callback, ms);
      return () => void remove();
    },
    async advance(ms) {
      const limit = nowMs + ms;
      await settle();
      while (fireNext(limit)) await settle();
      nowMs = limit;
      await settle();
    },
  };
}

/** Lets every promise that is ready run, and what those start. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
