import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import type { LockSession } from '../lock/session.ts';
import type { MirrorClients } from './mirror.ts';

export interface DrainParts {
  readonly upstream: Pick<LockSession, 'drain' | 'children'> | undefined;
  /** Layers on their way to other nodes now. */
  readonly readers: () => number;
  /** Of the registry mirror, and of the content of a containerd. */
  readonly clients: readonly MirrorClients[];
  readonly clock: Clock;
  readonly log: Log;
}

/** How often one looks whether somebody still reads, in milliseconds. */
const lookEveryMs = 100;

/**
 * Lets nobody else be sent here and no pull begin at the mirror, then waits at most `ms` milliseconds until those who
 * read are done. Never throws.
 */
export async function drain(parts: DrainParts, ms: number): Promise<void> {
  const { upstream, readers, clients, clock, log } = parts;
  const endMs = clock.now() + ms;
  const children = () => upstream?.children() ?? 0;
  const isBusy = () => children() > 0 || readers() > 0 || clients.some(({ isBusy }) => isBusy);
  const answers = () => clients.reduce((sum, { answers }) => sum + answers, 0);
  const counts = () => ({ children: children(), readers: readers(), clients: answers() });
  for (const one of clients) one.drain();
  await upstream?.drain();
  if (isBusy()) log.info(counts(), 'waiting for those who read from here');
  while (isBusy() && clock.now() < endMs) await clock.sleep(lookEveryMs);
  if (isBusy()) log.warn(counts(), `still read from after ${ms / 1_000} s`);
}
