import type { Clock } from '../core/clock.ts';
import { type Digest, isDigest } from '../core/digest.ts';
import type { Log } from '../core/log.ts';
import type { Shelf, ShelfEntry } from '../store/shelf.ts';
import { changedLabels, type LabelChange, type Labels, refuseLongLabels } from './labels.ts';
import { Refusal } from './refusal.ts';
import { Turns } from './turns.ts';

export interface CatalogParts {
  readonly shelf: Shelf;
  readonly clock: Clock;
  readonly log: Log;
}

/** A place in the catalog for a blob that is on its way into the store: from now on nobody removes it there. */
export interface Reservation {
  /** Enters the blob, which is in the store by now. @throws Refusal `invalidArgument`, LayerpullError `store_*` */
  commit(labels: Labels): Promise<void>;
  /** Gives the place up. Idempotent, never throws; after `commit` it does nothing. */
  cancel(): Promise<void>;
}

/**
 * What one containerd committed or took. In memory, with an entry on the shelf for each blob, which keeps others from
 * removing it. Blobs of the store that are not in it are found when containerd asks for one by its digest, and only then.
 */
export class Catalog {
  readonly #parts: CatalogParts;
  readonly #entries = new Map<Digest, ShelfEntry>();
  readonly #reserved = new Map<Digest, number>();
  readonly #turns = new Turns<Digest>();

  constructor(parts: CatalogParts) {
    this.#parts = parts;
  }

  /** Reads what an earlier process wrote. An entry whose blob is gone is forgotten. @throws LayerpullError `store_*` */
  async load(): Promise<void> {
    const { shelf, log } = this.#parts;
    for (const entry of await shelf.entries()) {
      if ((await shelf.sizeOf(entry.digest)) === entry.size) {
        this.#entries.set(entry.digest, entry);
        continue;
      }
      log.warn({ digest: entry.digest }, 'a blob that containerd committed is gone');
      await shelf.remove(entry.digest);
    }
  }

  /** Without looking into the store. */
  get(digest: Digest): ShelfEntry | undefined {
    return this.#entries.get(digest);
  }

  entries(): Iterable<ShelfEntry> {
    return this.#entries.values();
  }

  /** Looks into the store too; a blob that is there is in the catalog from then on. */
  async find(digest: Digest): Promise<ShelfEntry | undefined> {
    return this.#entries.get(digest) ?? (await this.#turns.run(digest, () => this.#take(digest)));
  }

  /** @throws LayerpullError `store_*` */
  async reserve(digest: Digest, size: number): Promise<Reservation> {
    const entry = this.#newEntry(digest, size);
    await this.#turns.run(digest, async () => {
      if (!this.#isKept(digest)) await this.#parts.shelf.put(entry);
      this.#reserved.set(digest, (this.#reserved.get(digest) ?? 0) + 1);
    });
    let isOver = false;
    const end = async (work: () => Promise<void>) => {
      if (isOver) return;
      isOver = true;
      await this.#turns.run(digest, async () => {
        this.#countDown(digest);
        await work();
      });
    };
    return {
      commit: async (labels) => {
        refuseLongLabels(labels);
        await end(() => this.#enterReserved(entry, labels));
      },
      cancel: () => end(() => this.#forgetUnkept(digest)).catch(() => {}),
    };
  }

  /** @throws Refusal `notFound`, `invalidArgument` */
  async update(digest: Digest, change: LabelChange): Promise<ShelfEntry> {
    await this.find(digest);
    return await this.#turns.run(digest, async () => {
      const entry = this.#entries.get(digest);
      if (!entry) throw notFound(digest);
      const labels = changedLabels(entry.labels, change);
      const updated = { ...entry, labels, updatedAtMs: this.#parts.clock.wallNow() };
      await this.#parts.shelf.put(updated);
      this.#entries.set(digest, updated);
      return updated;
    });
  }

  /** Forgets the blob; the store keeps it until somebody removes it there. @throws Refusal `notFound` */
  async delete(digest: Digest): Promise<void> {
    await this.#turns.run(digest, async () => {
      if (!this.#entries.delete(digest)) throw notFound(digest);
      await this.#forgetUnkept(digest);
      this.#tell(digest, 'removed');
    });
  }

  /** Whether the shelf has an entry for it. */
  #isKept(digest: Digest): boolean {
    return this.#entries.has(digest) || this.#reserved.has(digest);
  }

  async #forgetUnkept(digest: Digest): Promise<void> {
    if (!this.#isKept(digest)) await this.#parts.shelf.remove(digest);
  }

  #countDown(digest: Digest): void {
    const left = (this.#reserved.get(digest) ?? 1) - 1;
    if (left > 0) this.#reserved.set(digest, left);
    else this.#reserved.delete(digest);
  }

  async #enterReserved(entry: ShelfEntry, labels: Labels): Promise<void> {
    const nowMs = this.#parts.clock.wallNow();
    const known = this.#entries.get(entry.digest) ?? { ...entry, createdAtMs: nowMs };
    const committed = { ...known, labels: { ...known.labels, ...labels }, updatedAtMs: nowMs };
    // Without labels, what the reservation wrote says it all but for the moment.
    if (Object.keys(labels).length > 0) await this.#parts.shelf.put(committed);
    this.#enter(committed, 'committed');
  }

  async #take(digest: Digest): Promise<ShelfEntry | undefined> {
    const known = this.#entries.get(digest);
    if (known) return known;
    const { shelf, log } = this.#parts;
    const size = await shelf.sizeOf(digest);
    if (size === undefined) return undefined;
    const entry = this.#newEntry(digest, size);
    if (!this.#isKept(digest)) await shelf.put(entry);
    // It may have been removed before the entry was there; nobody removes it from now on.
    if ((await shelf.sizeOf(digest)) !== size) {
      await this.#forgetUnkept(digest);
      return undefined;
    }
    log.info({ digest, bytes: size }, 'present');
    this.#enter(entry, 'taken');
    return entry;
  }

  #newEntry(digest: Digest, size: number): ShelfEntry {
    const nowMs = this.#parts.clock.wallNow();
    return { digest, size, labels: {}, createdAtMs: nowMs, updatedAtMs: nowMs };
  }

  #enter(entry: ShelfEntry, change: 'committed' | 'taken'): void {
    this.#entries.set(entry.digest, entry);
    this.#tell(entry.digest, change);
  }

  #tell(digest: Digest, change: 'committed' | 'taken' | 'removed'): void {
    const { shelf, log } = this.#parts;
    log.info({ digest, change, catalog: shelf.name }, 'reference updated');
  }
}

export function notFound(digest: string): Refusal {
  return new Refusal('notFound', `content ${digest}: not found`);
}

export function alreadyExists(digest: string): Refusal {
  return new Refusal('alreadyExists', `content ${digest}: already exists`);
}

/** @throws Refusal `invalidArgument` */
export function digestIn(text: string): Digest {
  if (isDigest(text)) return text;
  throw new Refusal('invalidArgument', `${JSON.stringify(text.slice(0, 160))} is not a digest`);
}
