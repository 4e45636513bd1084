import type { Clock } from '../../core/clock.ts';
import { type Log, silentLog } from '../../core/log.ts';
import { type MachineOptions, machineOptions } from '../machine/options.ts';
import { createState } from '../machine/state.ts';
import { createEngine, type LockService, type Observe } from './engine/engine.ts';
import { noJournal } from './engine/journal.ts';

export interface MemoryLocksOptions extends Partial<MachineOptions> {
  readonly clock: Clock;
  readonly log?: Log;
  /** Hears of everything that happens to locks. */
  readonly observe?: Observe;
}

/**
 * The lock service in this process's memory. What it knew before a restart its clients re-assert.
 *
 * @throws LayerpullError `usage` for options that contradict each other
 */
export function createMemoryLocks(options: MemoryLocksOptions): LockService {
  const { clock, log = silentLog, observe, ...given } = options;
  const state = createState(machineOptions(given), clock.now());
  return createEngine({ clock, log, state, journal: noJournal, ...(observe ? { observe } : {}) });
}
