import { type Deferred, deferred } from '../../../core/abort.ts';
import type { Change } from '../../machine/changes.ts';
import type { Journal } from '../engine/journal.ts';

/** Everything that came while the batch before it was being written. */
interface Batch {
  readonly changes: Change[];
  readonly tell: (() => void)[];
  readonly kept: Deferred<void>;
}

export interface GroupJournalOptions {
  /** Settles once these changes are on disk, all or none of them. */
  readonly commit: (changes: readonly Change[]) => Promise<void>;
  /** A commit failed: what is in memory and what is on disk have parted, so nothing is kept from here on. */
  readonly onFailure: (error: unknown) => void;
  /** Runs once, after the last commit. */
  readonly onClose: () => Promise<void>;
  /** Runs between telling what a batch changed and answering its callers. */
  readonly onTold?: () => Promise<void> | void;
}

/** Group commit: while one batch is on its way to the disk the next one gathers, and goes as one. */
export class GroupJournal implements Journal {
  readonly #options: GroupJournalOptions;
  #gathering: Batch | undefined;
  #writing: Batch | undefined;
  #failure: { readonly error: unknown } | undefined;
  #loop: Promise<void> = Promise.resolve();
  #closed: Promise<void> | undefined;

  constructor(options: GroupJournalOptions) {
    this.#options = options;
  }

  add(changes: readonly Change[], tell: () => void): void {
    if (this.#failure || this.#closed) return;
    const isIdle = !this.#gathering && !this.#writing;
    if (isIdle && changes.length === 0) {
      tell();
      return;
    }
    this.#gathering ??= createBatch();
    for (const change of changes) this.#gathering.changes.push(change);
    this.#gathering.tell.push(tell);
    // What else comes in the same turn of the event loop goes along.
    if (isIdle) this.#loop = Promise.resolve().then(() => this.#writeAll());
  }

  kept(): Promise<void> | undefined {
    if (this.#failure) return Promise.reject(this.#failure.error);
    return (this.#gathering ?? this.#writing)?.kept.promise;
  }

  close(): Promise<void> {
    this.#closed ??= this.#loop.then(this.#options.onClose);
    return this.#closed;
  }

  async #writeAll(): Promise<void> {
    for (let batch = this.#gathering; batch; batch = this.#gathering) {
      this.#gathering = undefined;
      this.#writing = batch;
      try {
        if (batch.changes.length > 0) await this.#options.commit(batch.changes);
      } catch (error) {
        this.#fail(batch, error);
        return;
      }
      for (const tell of batch.tell) tell();
      await this.#options.onTold?.();
      this.#writing = undefined;
      batch.kept.resolve();
    }
  }

  #fail(batch: Batch, error: unknown): void {
    this.#failure = { error };
    for (const each of [batch, this.#gathering]) each?.kept.reject(error);
    this.#gathering = undefined;
    this.#writing = undefined;
    this.#options.onFailure(error);
  }
}

function createBatch(): Batch {
  const kept = deferred<void>();
  // Not every batch has a caller that waits for it.
  kept.promise.catch(() => {});
  return { changes: [], tell: [], kept };
}
