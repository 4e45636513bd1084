import type { Locks } from '../../../src/lock/locks.ts';

/** How the service under test is set up; what is left out has the default of the design, and no recovery. */
export interface LocksSetup {
  /** Milliseconds after the start in which only what was held before is granted. Default here: 0. */
  readonly recoveryMs?: number;
  /** False: a taken lock refuses. */
  readonly queueing?: boolean;
  /** Waiters per resource. */
  readonly maxQueue?: number;
  /** Resources in use at once. */
  readonly maxResources?: number;
  /** Sessions open at once. */
  readonly maxSessions?: number;
}

export interface LocksUnderTest {
  readonly locks: Locks;
  /** Moves the time of the service forward, letting its timers run on the way. */
  advance(ms: number): Promise<void>;
  /** The service ends and starts again on what it kept. Only where it keeps anything. */
  restart?(): Promise<void>;
  /** Ends the service and everything beside it; called after `locks.close()` or without it. */
  close(): Promise<void>;
}

export type MakeLocks = (setup: LocksSetup) => Promise<LocksUnderTest>;
