import type { Digest } from '../core/digest.ts';
import type { Shelf } from '../store/shelf.ts';
import { alreadyExists, type Catalog } from './catalog.ts';
import type { KnownBlobs } from './known-blobs.ts';
import type { RawIngest } from './raw-ingest.ts';
import type { RawIngests } from './raw-ingests.ts';
import type { Expectation, Progress, RefWriter } from './ref-writer.ts';
import { Refusal } from './refusal.ts';

export interface RawWriterParts {
  readonly catalog: Catalog;
  readonly ingests: RawIngests;
  readonly known: KnownBlobs;
  readonly shelf: Shelf;
}

/** Takes whatever comes; what it was is known when it is committed. */
export class RawWriter implements RefWriter {
  readonly #parts: RawWriterParts;
  readonly #ingest: RawIngest;

  constructor(parts: RawWriterParts, ingest: RawIngest) {
    this.#parts = parts;
    this.#ingest = ingest;
  }

  progress(): Progress {
    return this.#ingest.state;
  }

  digest(): Digest {
    return this.#ingest.digest();
  }

  async write(pieces: readonly Uint8Array[]): Promise<void> {
    await this.#ingest.write(Buffer.concat(pieces));
  }

  async restart(): Promise<RefWriter> {
    await this.#ingest.truncate();
    return this;
  }

  async commit(expectation: Expectation): Promise<Digest> {
    const { catalog, ingests, known } = this.#parts;
    const { ref, offset } = this.#ingest.state;
    const digest = await this.#verified(expectation);
    if (catalog.get(digest)) {
      await this.close();
      await ingests.remove(ref);
      throw alreadyExists(digest);
    }
    await this.#ingest.sync();
    const reservation = await catalog.reserve(digest, offset);
    try {
      await this.close();
      await this.#publish(digest, offset);
      await reservation.commit(expectation.labels);
    } finally {
      await reservation.cancel();
    }
    await ingests.remove(ref);
    await known.learn(digest, offset);
    return digest;
  }

  async close(): Promise<void> {
    await this.#ingest.close();
  }

  async #verified({ total, expected }: Expectation): Promise<Digest> {
    const { offset } = this.#ingest.state;
    if (total > 0 && total !== offset) throw wrongSize(offset, total);
    const found = expected ? await this.#ingest.digestLike(expected) : this.digest();
    if (expected && found !== expected) throw wrongDigest(found, expected);
    return found;
  }

  /** What others have brought meanwhile is as good. */
  async #publish(digest: Digest, size: number): Promise<void> {
    const { shelf, ingests } = this.#parts;
    if ((await shelf.sizeOf(digest)) === size) return;
    await shelf.adopt(ingests.dataFile(this.#ingest.state.ref), digest);
  }
}

export function wrongSize(found: number, expected: number): Refusal {
  return new Refusal('failedPrecondition', `unexpected commit size ${found}, expected ${expected}`);
}

export function wrongDigest(found: string, expected: string): Refusal {
  return new Refusal('failedPrecondition', `unexpected commit digest ${found}, expected ${expected}`);
}
