import type { EtcdOperation } from './client/etcd.ts';
import { keys, parseEntryKey } from './keys.ts';
import type { SeatId } from './replica/cluster.ts';

interface Noted {
  readonly seat: SeatId;
  readonly seq: number;
  readonly revision: number;
  readonly bytes: number;
}

/** Which entries are in etcd: what a snapshot can let go of, and when one is due. */
export class LogBook {
  readonly #entries = new Map<string, Noted>();
  #bytes = 0;

  get size(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  wrote(key: string, revision: number, bytes: number): void {
    const name = parseEntryKey(key);
    if (!name || this.#entries.has(key)) return;
    this.#entries.set(key, { ...name, revision, bytes });
    this.#bytes += bytes;
  }

  deleted(key: string): void {
    this.#bytes -= this.#entries.get(key)?.bytes ?? 0;
    this.#entries.delete(key);
  }

  /** All entries up to that revision are deleted, also where that was not told. */
  covered(revision: number): void {
    for (const [key, { revision: at }] of [...this.#entries]) if (at <= revision) this.deleted(key);
  }

  /** What deletes all entries up to that revision: one operation for each seat. */
  deletions(revision: number): EtcdOperation[] {
    const last = new Map<SeatId, number>();
    for (const { seat, seq, revision: at } of this.#entries.values()) {
      if (at <= revision) last.set(seat, Math.max(seq, last.get(seat) ?? 0));
    }
    return [...last].map(([seat, seq]) => ({
      kind: 'delete-range',
      from: keys.entry(seat, 0),
      to: keys.entry(seat, seq + 1),
    }));
  }
}
