import type { Clock } from '../../../core/clock.ts';
import { type Token, toToken } from '../../../core/ids.ts';
import { type Log, silentLog } from '../../../core/log.ts';
import type { Change } from '../../machine/changes.ts';
import { type MachineOptions, machineOptions } from '../../machine/options.ts';
import { createState, type MachineState } from '../../machine/state.ts';
import { createEngine, type LockService, type Observe } from '../engine/engine.ts';
import { checkDatabaseFile } from './database-file.ts';
import { openDirectory } from './directory.ts';
import { type Disk, openDisk } from './disk.ts';
import { GroupJournal } from './journal.ts';
import { restoreState } from './restore.ts';
import { lifeClock } from './stored-time.ts';
import { TokenReserve } from './token-reserve.ts';
import { writesOf } from './writes.ts';

/** Where a commit stands: what tests cut through. */
export type CommitPoint = 'before-append' | 'after-append' | 'before-reply';

export interface DurableLocksOptions extends Partial<Omit<MachineOptions, 'firstToken'>> {
  /** Absolute path; made if need be. */
  readonly directory: string;
  readonly clock: Clock;
  readonly log?: Log;
  /** Hears of everything that happens to locks. */
  readonly observe?: Observe;
  /** Hears how long each commit took, in milliseconds. */
  readonly onCommit?: (ms: number) => void;
  /** A write failed: nothing is acknowledged any more, and whoever runs the service should end it. */
  readonly onFailure?: (error: unknown) => void;
  /** Awaited at each point of each commit. */
  readonly onPoint?: (point: CommitPoint) => Promise<void> | void;
}

/**
 * The lock service with its state on disk. What was acknowledged survives the end of the process and of the machine:
 * holders, places and their order, completions, tokens. A request is answered and an event told only after the commit
 * that carries it; requests that come together share one commit.
 *
 * @throws LayerpullError `data_in_use`, `data_unusable`, `data_failed`; `usage` for options that contradict each other
 */
export async function createDurableLocks(options: DurableLocksOptions): Promise<LockService> {
  const directory = await openDirectory(options.directory);
  let disk: Disk | undefined;
  const close = async () => {
    await disk?.close();
    await directory.close();
  };
  try {
    await checkDatabaseFile(directory.path);
    disk = openDisk(directory.path);
    return await startOn(disk, options, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function startOn(
  disk: Disk,
  options: DurableLocksOptions,
  onClose: () => Promise<void>,
): Promise<LockService> {
  const { directory: _, clock, log = silentLog, observe, onCommit, onFailure, onPoint, ...given } = options;
  const lifeTime = lifeClock(clock, disk.records());
  const machine = machineOptions({ ...given, firstToken: firstTokenOf(disk, clock) });
  const tokens = new TokenReserve();
  await disk.write(tokens.cover(machine.firstToken));
  // In a new directory nothing is known of earlier locks, so their holders bring them, as to a server in memory.
  const nowMs = lifeTime.now();
  const state = disk.isNew ? createState(machine, nowMs) : restoreState(machine, disk.records(), nowMs);
  const journal = new GroupJournal({
    commit: (changes) => commit({ disk, state, tokens, clock, onCommit, onPoint }, changes),
    onTold: () => onPoint?.('before-reply'),
    onFailure: (error) => onFailure?.(error),
    onClose,
  });
  return createEngine({ clock: lifeTime, log, state, journal, ...(observe ? { observe } : {}) });
}

interface CommitParts {
  readonly disk: Disk;
  readonly state: MachineState;
  readonly tokens: TokenReserve;
  readonly clock: Clock;
  readonly onCommit: DurableLocksOptions['onCommit'];
  readonly onPoint: DurableLocksOptions['onPoint'];
}

async function commit(parts: CommitParts, changes: readonly Change[]): Promise<void> {
  const { disk, state, tokens, clock, onCommit, onPoint } = parts;
  await onPoint?.('before-append');
  const startedMs = clock.now();
  await disk.write([...tokens.cover(state.nextToken), ...writesOf(state, changes)]);
  onCommit?.(clock.now() - startedMs);
  await onPoint?.('after-append');
}

/** Above all that was given out, and at wall time: that is above those of a directory that was lost or set back. */
function firstTokenOf({ nextToken }: Disk, clock: Clock): Token {
  return toToken(Math.max(nextToken ?? 0, Math.floor(clock.wallNow()) * 1_024));
}
