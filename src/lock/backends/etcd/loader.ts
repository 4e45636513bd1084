import type { Log } from '../../../core/log.ts';
import type { MachineOptions } from '../../machine/options.ts';
import type { Etcd, EtcdEntry } from './client/etcd.ts';
import { keys, parseEntryKey, parseSeatKey } from './keys.ts';
import { LogBook } from './log-book.ts';
import { applyEntry, createCluster } from './replica/apply.ts';
import type { ClusterState, SeatId } from './replica/cluster.ts';
import { decodeEntry } from './replica/entry.ts';
import { type Current, currentIn, readSnapshot } from './snapshots.ts';

/** How the cluster stands at a revision of etcd. */
export interface Loaded {
  readonly cluster: ClusterState;
  /** Everything up to it is in the cluster. */
  readonly revision: number;
  /** Of the last entry in it; 0 before the first. */
  readonly appliedRevision: number;
  readonly book: LogBook;
  readonly snapshot: Current | undefined;
  /** Servers that run. */
  readonly seats: ReadonlySet<SeatId>;
}

export interface Loading {
  readonly etcd: Etcd;
  readonly machine: MachineOptions;
  /** Time of a cluster that has no entry yet. */
  readonly atMs: number;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Reads the latest snapshot and what was written since. @throws LayerpullError `etcd_*`; EtcdCompacted */
export async function load({ etcd, machine, atMs, log, signal }: Loading): Promise<Loaded> {
  const live = await etcd.list(keys.live, { signal });
  const { revision } = live;
  const kept = await etcd.list(keys.snapshots, { revision, signal });
  const read = await readSnapshot({ revision, entries: kept.entries }, machine);
  const cluster = read?.cluster ?? createCluster(machine, atMs);
  const covered = read?.current.revision ?? 0;
  const book = new LogBook();
  let appliedRevision = covered;
  // Those that the snapshot covers are on their way out.
  for (const { key, modRevision, value } of live.entries) book.wrote(key, modRevision, value.length);
  for (const entry of entriesOf(live.entries, covered)) {
    replay(cluster, entry, log);
    appliedRevision = entry.modRevision;
  }
  return { cluster, revision, appliedRevision, book, snapshot: read?.current, seats: seatsOf(live.entries) };
}

function replay(cluster: ClusterState, { key, value }: EtcdEntry, log: Log): void {
  const entry = readEntry({ key, value }, log);
  if (entry) applyEntry(cluster, entry, () => {});
}

/** What a key of the log says. Anything else is passed over, by all servers alike. */
export function readEntry({ key, value }: Pick<EtcdEntry, 'key' | 'value'>, log: Log) {
  const name = parseEntryKey(key);
  const entry = name && decodeEntry(name.seat, name.seq, value.toString());
  if (!entry) log.error({ key }, 'an entry in etcd cannot be read and is passed over');
  return entry;
}

/** Entries behind a revision, in their order. */
function entriesOf(all: readonly EtcdEntry[], revision: number): EtcdEntry[] {
  return all
    .filter(({ key, modRevision }) => key.startsWith(keys.log) && modRevision > revision)
    .sort((one, other) => one.modRevision - other.modRevision);
}

export function seatsOf(all: readonly EtcdEntry[]): Set<SeatId> {
  return new Set(all.flatMap(({ key }) => parseSeatKey(key) ?? []));
}

/** What a server missed that could not watch for a while. */
export interface Missed {
  readonly entries: readonly EtcdEntry[];
  readonly revision: number;
  readonly seats: ReadonlySet<SeatId>;
}

/** Entries behind a revision, in their order; undefined when some of them are only in a snapshot by now. */
export async function readMissed(
  etcd: Etcd,
  appliedRevision: number,
  signal: AbortSignal,
): Promise<Missed | undefined> {
  const live = await etcd.list(keys.live, { signal });
  const kept = await etcd.list(keys.current, { revision: live.revision, signal });
  const current = currentIn(kept);
  if (current && current.revision > appliedRevision) return undefined;
  return {
    entries: entriesOf(live.entries, appliedRevision),
    revision: live.revision,
    seats: seatsOf(live.entries),
  };
}
