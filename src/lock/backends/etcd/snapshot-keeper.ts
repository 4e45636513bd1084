import type { Clock } from '../../../core/clock.ts';
import { messageOf } from '../../../core/errors.ts';
import type { Log } from '../../../core/log.ts';
import type { Etcd } from './client/etcd.ts';
import { keys } from './keys.ts';
import type { LogBook } from './log-book.ts';
import type { ClusterState, SeatId } from './replica/cluster.ts';
import { encodeInSlices } from './replica/snapshot.ts';
import { currentIn, writeSnapshot } from './snapshots.ts';

/** Entries, and their bytes, after which a snapshot is due. */
const dueEntries = 2_000;
const dueBytes = 2_097_152;
/** Milliseconds between two, at least. */
const restMs = 10_000;
/** And so many times as long as the last one took: nothing is applied while a large cluster is written down. */
const restRatio = 50;

/** After so many milliseconds of writing down something else gets its turn. */
const longSliceMs = 10;

export interface KeeperOptions {
  readonly etcd: Etcd;
  readonly clock: Clock;
  readonly log: Log;
  readonly seat: SeatId;
  /** Of the seat's key: who lost it writes nothing any more. */
  readonly seatRevision: number;
  readonly cluster: ClusterState;
  readonly book: LogBook;
  readonly appliedRevision: () => number;
  /** From here until the answer is called no entry is applied. */
  readonly pause: () => () => void;
  /** Entries after which a snapshot is due. Default 2,000. */
  readonly dueEntries?: number | undefined;
  readonly signal: AbortSignal;
}

/** Keeps the log in etcd short. The server that came first does it; the others only where it does not. */
export class SnapshotKeeper {
  readonly #options: KeeperOptions;
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #writing: Promise<void> | undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** Begins a snapshot if one is due. */
  consider(): void {
    if (this.#writing || !this.#isDue()) return;
    this.#writing = this.#write().finally(() => {
      this.#writing = undefined;
    });
  }

  /** Settles once none is under way. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  #isDue(): boolean {
    const { cluster, seat, book, clock } = this.#options;
    const patience = 1 + Math.max(0, [...cluster.seats.keys()].indexOf(seat));
    const entries = (this.#options.dueEntries ?? dueEntries) * patience;
    if (book.size < entries && book.bytes < dueBytes * patience) return false;
    return clock.now() >= this.#notBeforeMs;
  }

  async #write(): Promise<void> {
    const { etcd, clock, log, seat, seatRevision, book, appliedRevision, signal } = this.#options;
    const fence = { kind: 'created-at', key: keys.seat(seat), revision: seatRevision } as const;
    const startedMs = clock.now();
    this.#notBeforeMs = startedMs + restMs;
    try {
      const before = currentIn(await etcd.list(keys.current, { signal }));
      const revision = appliedRevision();
      if (before && before.revision >= revision) return;
      const deletions = book.deletions(revision);
      const text = await this.#encode();
      const written = await writeSnapshot({ etcd, text, revision, before, fence, deletions, signal });
      const ms = Math.round(clock.now() - startedMs);
      if (written) book.covered(revision);
      if (written) log.debug({ revision, entries: book.size, ms }, 'snapshot written to etcd');
    } catch (error) {
      if (!signal.aborted)
        log.warn({ err: messageOf(error) }, 'no snapshot could be written to etcd; it is tried again');
    }
  }

  /** In slices, so that heartbeats are answered meanwhile. */
  async #encode(): Promise<string> {
    const { clock, cluster, pause, signal } = this.#options;
    const startedMs = clock.now();
    let sliceMs = startedMs;
    const goOn = pause();
    try {
      const slices = encodeInSlices(cluster);
      for (let slice = slices.next(); ; slice = slices.next()) {
        if (slice.done) return slice.value;
        if (clock.now() - sliceMs < longSliceMs) continue;
        await clock.sleep(0, signal);
        sliceMs = clock.now();
      }
    } finally {
      goOn();
      const tookMs = clock.now() - startedMs;
      this.#notBeforeMs = clock.now() + Math.max(restMs, tookMs * restRatio);
    }
  }
}
