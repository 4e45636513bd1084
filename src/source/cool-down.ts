import type { Clock } from '../core/clock.ts';

/** Servers that failed and are left alone for a while, by name. */
export interface CoolDown {
  /** Leaves `name` alone from now on, for at least `leastMs` milliseconds; never shorter than was said before. */
  begin(name: string, leastMs?: number): void;
  isOn(name: string): boolean;
}

export function createCoolDown(clock: Clock, ms: number): CoolDown {
  const untilMs = new Map<string, number>();
  return {
    begin(name, leastMs = 0) {
      const until = clock.now() + Math.max(ms, leastMs);
      untilMs.set(name, Math.max(until, untilMs.get(name) ?? until));
    },
    isOn: (name) => clock.now() < (untilMs.get(name) ?? Number.NEGATIVE_INFINITY),
  };
}
