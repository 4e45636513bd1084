import type { Clock } from '../core/clock.ts';
import type { Digest } from '../core/digest.ts';
import { LayerpullError } from '../core/errors.ts';
import type { ByteRange } from './blob-store.ts';
import { storageError, storing } from './files.ts';
import type { GrowingBlob, GrowingBlobs } from './growing-blobs.ts';
import { type GrowingFile, isWritten, openGrowing } from './growing-file.ts';
import { GrowthBell } from './growth-bell.ts';
import type { Layout } from './layout.ts';

export interface GrowingOptions {
  readonly layout: Layout;
  readonly clock: Clock;
  /** Rung by writers of this process; the others are noticed by looking. */
  readonly bell?: GrowthBell;
}

const pieceBytes = 131_072;
/** How often one looks whether a file has grown that does not ring. */
const lookEveryMs = 25;
/** How often one looks for the writer, and for another file, where this one stands still. */
const searchEveryMs = 250;

/** The blobs of an OCI layout, with those that are being written into it. */
export function createGrowing(options: GrowingOptions): GrowingBlobs {
  const { layout, clock, bell = new GrowthBell() } = options;
  return {
    open: (digest) =>
      storing(`read ${digest}`, async () => {
        const file = await openGrowing(layout, digest, clock);
        return file && new OpenBlob({ layout, clock, bell, digest }, file);
      }),
  };
}

interface BlobParts extends Required<GrowingOptions> {
  readonly digest: Digest;
}

class OpenBlob implements GrowingBlob {
  readonly size?: number;
  readonly #parts: BlobParts;
  #file: GrowingFile;
  #closed: Promise<void> | undefined;

  constructor(parts: BlobParts, file: GrowingFile) {
    this.#parts = parts;
    this.#file = file;
    if (file.size !== undefined) this.size = file.size;
  }

  async *read({ start, end }: ByteRange, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const growth = new Growth(this.#parts);
    try {
      for (let position = start; position <= end; ) {
        signal.throwIfAborted();
        const piece = await this.#pieceAt(position, end);
        if (piece.length > 0) {
          growth.seen();
          position += piece.length;
          yield piece;
        } else {
          if (growth.isTimeToSearch()) await this.#search(position);
          await growth.wait(signal);
        }
      }
    } finally {
      growth.stop();
    }
  }

  async bytes(): Promise<number> {
    const { digest } = this.#parts;
    return (await storing(`read ${digest}`, () => this.#file.handle.stat())).size;
  }

  close(): Promise<void> {
    this.#closed ??= this.#file.handle.close();
    return this.#closed;
  }

  async #pieceAt(position: number, end: number): Promise<Uint8Array> {
    const buffer = Buffer.allocUnsafe(Math.min(pieceBytes, end + 1 - position));
    try {
      const { bytesRead } = await this.#file.handle.read(buffer, 0, buffer.length, position);
      return buffer.subarray(0, bytesRead);
    } catch (error) {
      throw storageError(error, `read ${this.#parts.digest}`);
    }
  }

  /** The blob may have been published by another writer, and another writer may have come further than ours. */
  async #search(position: number): Promise<void> {
    const { layout, digest, clock } = this.#parts;
    await storing(`read ${digest}`, async () => {
      if (this.#file.size !== undefined) throw endsAt(digest, position);
      const other = await openGrowing(layout, digest, clock, position);
      if (other) return await this.#moveTo(other);
      if (!(await isWritten(this.#file.handle, clock))) throw gaveUp(digest, position);
    });
  }

  async #moveTo(file: GrowingFile): Promise<void> {
    const { handle } = this.#file;
    this.#file = file;
    await handle.close();
  }
}

/** Waits for a file to grow: until the bell rings, or for a moment. */
class Growth {
  readonly #clock: Clock;
  readonly #stopListening: () => void;
  #hasRung = false;
  #wake: (() => void) | undefined;
  #nextSearchMs: number | undefined;

  constructor({ clock, bell, digest }: BlobParts) {
    this.#clock = clock;
    this.#stopListening = bell.listen(digest, () => {
      this.#hasRung = true;
      this.#wake?.();
    });
  }

  seen(): void {
    this.#nextSearchMs = undefined;
  }

  isTimeToSearch(): boolean {
    const nowMs = this.#clock.now();
    this.#nextSearchMs ??= nowMs + searchEveryMs;
    if (nowMs < this.#nextSearchMs) return false;
    this.#nextSearchMs = nowMs + searchEveryMs;
    return true;
  }

  async wait(signal: AbortSignal): Promise<void> {
    if (!this.#hasRung) await this.#pause(signal);
    this.#hasRung = false;
    signal.throwIfAborted();
  }

  async #pause(signal: AbortSignal): Promise<void> {
    const waking = new AbortController();
    this.#wake = () => waking.abort();
    signal.addEventListener('abort', this.#wake);
    if (signal.aborted) waking.abort();
    await this.#clock.sleep(lookEveryMs, waking.signal).catch(() => {});
    signal.removeEventListener('abort', this.#wake);
    this.#wake = undefined;
  }

  stop(): void {
    this.#stopListening();
  }
}

function gaveUp(digest: Digest, bytes: number): LayerpullError {
  return new LayerpullError('store_failed', `nobody writes ${digest} any more, after ${bytes} bytes`);
}

function endsAt(digest: Digest, bytes: number): LayerpullError {
  return new LayerpullError('store_failed', `${digest} ends after ${bytes} bytes`);
}
