import type { Clock } from '../../../core/clock.ts';
import type { Stored } from './restore.ts';

/**
 * The clock of one life of the service, in milliseconds that mean the same in every life: it starts at wall time, or
 * where the last life stopped if the wall clock was set back meanwhile, and from then on does not look at it.
 */
export function lifeClock(clock: Clock, records: Iterable<Stored>): Clock {
  const baseMs = Math.max(clock.wallNow(), latestMs(records)) - clock.now();
  return { ...clock, now: () => clock.now() + baseMs };
}

/** The latest time in any record: all are in fields named `atMs` or `sinceMs`. */
function latestMs(records: Iterable<Stored>): number {
  let latest = 0;
  for (const { value } of records) latest = Math.max(latest, latestIn(value));
  return latest;
}

function latestIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const times = Object.entries(value).map(([name, field]) => {
    if (name === 'atMs' || name === 'sinceMs') return typeof field === 'number' ? field : 0;
    return latestIn(field);
  });
  return Math.max(0, ...times);
}
