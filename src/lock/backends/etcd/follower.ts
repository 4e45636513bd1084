import type { Clock } from '../../../core/clock.ts';
import { isLayerpullError, messageOf } from '../../../core/errors.ts';
import type { Log } from '../../../core/log.ts';
import { pauseBefore } from '../../../core/retry.ts';
import { type Etcd, type EtcdChange, EtcdCompacted, type EtcdEntry } from './client/etcd.ts';
import { keys, parseSeatKey } from './keys.ts';
import { readMissed } from './loader.ts';
import type { Outage } from './outage.ts';
import type { SeatId } from './replica/cluster.ts';

export interface FollowerOptions {
  readonly etcd: Etcd;
  readonly clock: Clock;
  readonly log: Log;
  readonly outage: Outage;
  /** Everything up to it is known. */
  readonly revision: number;
  /** Of the last entry that was applied. */
  readonly appliedRevision: () => number;
  readonly onEntry: (entry: EtcdEntry) => void;
  /** An entry is in a snapshot by now. */
  readonly onDeleted: (key: string) => void;
  readonly onSeatGone: (seat: SeatId) => void;
  /** After a gap: the servers that run. */
  readonly onSeats: (seats: ReadonlySet<SeatId>) => void;
  readonly signal: AbortSignal;
}

/** What was missed is only in a snapshot by now. */
export class Behind extends Error {
  constructor() {
    super('what the other servers did meanwhile is only in a snapshot by now');
    this.name = 'Behind';
  }
}

/**
 * Tells what happens in the cluster, each change once and in order, over broken watches and compactions. Returns when
 * the signal aborts. @throws Behind; LayerpullError `etcd_denied`, `etcd_failed`
 */
export async function follow(options: FollowerOptions): Promise<void> {
  const { etcd, clock, log, outage, signal } = options;
  let next = options.revision + 1;
  let isHistoryGone = false;
  for (let failures = 0; !signal.aborted; ) {
    try {
      if (isHistoryGone) next = (await catchUp(options)) + 1;
      isHistoryGone = false;
      for await (const { revision, changes } of etcd.watch(keys.live, next, signal)) {
        failures = 0;
        outage.over('changes');
        for (const change of changes) tell(options, change);
        if (changes.length > 0) next = revision + 1;
      }
    } catch (error) {
      if (signal.aborted) return;
      isHistoryGone ||= error instanceof EtcdCompacted;
      if (!(error instanceof EtcdCompacted) && !isPassing(error)) throw error;
      failures += 1;
      outage.met('changes', error);
      log.debug({ err: messageOf(error), revision: next }, 'the watch of etcd broke and begins again');
      await clock.sleep(pauseBefore(failures, { delayMs: 50 }), signal).catch(() => {});
    }
  }
}

function isPassing(error: unknown): boolean {
  return isLayerpullError(error) && error.code === 'etcd_unreachable';
}

function tell(options: FollowerOptions, change: EtcdChange): void {
  if (change.kind === 'put') {
    if (change.entry.key.startsWith(keys.log)) options.onEntry(change.entry);
    return;
  }
  const seat = parseSeatKey(change.key);
  if (seat) options.onSeatGone(seat);
  else options.onDeleted(change.key);
}

/** Compaction took the history, but not the entries themselves. */
async function catchUp(options: FollowerOptions): Promise<number> {
  const missed = await readMissed(options.etcd, options.appliedRevision(), options.signal);
  if (!missed) throw new Behind();
  for (const entry of missed.entries) options.onEntry(entry);
  options.onSeats(missed.seats);
  return missed.revision;
}
