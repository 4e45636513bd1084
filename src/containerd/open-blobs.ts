import type { Digest } from '../core/digest.ts';
import type { OpenBlob, Shelf } from '../store/shelf.ts';
import { readingAhead } from './read-ahead.ts';

/** containerd reads a blob in pieces of 32 KiB, each with a request of its own; it reads some blobs at once. */
const maxOpen = 64;

interface Slot {
  readonly opening: Promise<OpenBlob>;
  /** Reads that run now. */
  readers: number;
  /** Nobody finds it any more; the last reader closes it. */
  isOut: boolean;
}

/** Keeps the files of blobs open that were read last. */
export class OpenBlobs {
  readonly #shelf: Pick<Shelf, 'open'>;
  readonly #limit: number;
  readonly #slots = new Map<Digest, Slot>();

  constructor(shelf: Pick<Shelf, 'open'>, limit = maxOpen) {
    this.#shelf = shelf;
    this.#limit = limit;
  }

  /** The blob stays open while `work` runs. @throws LayerpullError `blob_not_found`, `store_failed` */
  async use<T>(digest: Digest, work: (blob: OpenBlob) => Promise<T>): Promise<T> {
    const slot = this.#take(digest);
    slot.readers += 1;
    try {
      return await work(await slot.opening);
    } catch (error) {
      this.forget(digest);
      throw error;
    } finally {
      slot.readers -= 1;
      this.#closeIfOut(slot);
    }
  }

  /** Closes it, as soon as nobody reads it. */
  forget(digest: Digest): void {
    const slot = this.#slots.get(digest);
    if (!slot) return;
    this.#slots.delete(digest);
    slot.isOut = true;
    this.#closeIfOut(slot);
  }

  /** Idempotent. */
  close(): void {
    for (const digest of [...this.#slots.keys()]) this.forget(digest);
  }

  /** The one that was used last is the last of the map. */
  #take(digest: Digest): Slot {
    const slot = this.#slots.get(digest) ?? { opening: this.#open(digest), readers: 0, isOut: false };
    slot.opening.catch(() => {});
    this.#slots.delete(digest);
    this.#slots.set(digest, slot);
    const [oldest] = this.#slots.keys();
    if (this.#slots.size > this.#limit && oldest) this.forget(oldest);
    return slot;
  }

  async #open(digest: Digest): Promise<OpenBlob> {
    return readingAhead(await this.#shelf.open(digest));
  }

  #closeIfOut({ isOut, readers, opening }: Slot): void {
    if (!isOut || readers > 0) return;
    opening.then((blob) => blob.close()).catch(() => {});
  }
}
