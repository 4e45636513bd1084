import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import type { LockSession } from '../lock/session.ts';

export interface DrainParts {
  readonly upstream: Pick<LockSession, 'drain' | 'children'> | undefined;
  /** Layers on their way to other nodes now. */
  readonly readers: () => number;
  readonly clock: Clock;
  readonly log: Log;
}

/** How often one looks whether somebody still reads, in milliseconds. */
const lookEveryMs = 100;

/**
 * Lets nobody else be sent here, then waits at most `ms` milliseconds until those who were are done. Never throws.
 */
export async function drain({ upstream, readers, clock, log }: DrainParts, ms: number): Promise<void> {
  const endMs = clock.now() + ms;
  const children = () => upstream?.children() ?? 0;
  const isBusy = () => children() > 0 || readers() > 0;
  await upstream?.drain();
  if (isBusy())
    log.info({ children: children(), readers: readers() }, 'waiting for those who read from here');
  while (isBusy() && clock.now() < endMs) await clock.sleep(lookEveryMs);
  if (isBusy())
    log.warn({ children: children(), readers: readers() }, `still read from after ${ms / 1_000} s`);
}
