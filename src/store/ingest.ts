import { lstat, rename, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../core/clock.ts';
import type { Descriptor } from '../core/descriptor.ts';
import { type Digest, digestAlgorithm } from '../core/digest.ts';
import { LayerpullError, systemCodeOf } from '../core/errors.ts';
import type { Ingest } from './blob-store.ts';
import { storageError, storing } from './files.ts';
import type { FolderSync } from './folder-sync.ts';
import {
  hasRoomToCopy,
  listOthers,
  type OtherPartial,
  type OwnPartial,
  openLongest,
  type Partial,
  removeFiles,
} from './partials.ts';
import type { OpenSink, Sink } from './sink.ts';

/** Fewer, larger writes: what arrives from a socket comes in pieces of 16 to 64 KiB. */
const writeBytes = 1_048_576;
const shortRestBytes = 262_144;
/** What waits is written this often, as others may read along. On a fast line the bytes are there before the time is. */
const flushEveryMs = 20;
/** A source that sends a byte at a time must not make us keep a million small buffers. */
const maxPieces = 1_024;

export interface IngestParts {
  readonly descriptor: Descriptor;
  readonly partial: OwnPartial;
  /** Folder of all partials of this blob. */
  readonly folder: string;
  /** Where the blob is published. */
  readonly target: string;
  /** Whether the blob is in the store. */
  readonly isThere: () => Promise<boolean>;
  /** Whether nobody but us can be writing the blob now. */
  readonly isOursAlone: () => Promise<boolean>;
  readonly folderSync: FolderSync;
  /** Hashes and appends. */
  readonly openSink: OpenSink;
  readonly clock: Clock;
  /** Called when the file has grown. */
  readonly onGrowth: () => void;
}

/** Hashes and appends; see the port for its promises. */
export class FileIngest implements Ingest {
  readonly #parts: IngestParts;
  readonly #sink: Sink;
  #offset = 0;
  #writtenBytes = 0;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #inherited: string | undefined;
  #isOpen = true;
  #inode: number | undefined;
  /** Rejects for ever after a write that failed: the file and the hash differ then, so nothing more is written. */
  #flushed: Promise<void> = Promise.resolve();
  readonly #stopFlushing: () => void;

  constructor(parts: IngestParts) {
    this.#parts = parts;
    const { partial, descriptor, clock, onGrowth } = parts;
    this.#sink = parts.openSink(partial.handle, digestAlgorithm(descriptor.digest), onGrowth);
    this.#stopFlushing = clock.every(flushEveryMs, () => void this.#flush().catch(() => {}));
  }

  get offset(): number {
    return this.#offset;
  }

  written(): number {
    return this.#writtenBytes;
  }

  /**
   * Copies the longest partial that another writer left. Those that nobody writes any more go, so that pulls which are
   * killed again and again do not fill the disk. Call it first.
   */
  async inherit(onCopied?: (bytes: number) => void): Promise<void> {
    const { folder, partial, descriptor, isOursAlone } = this.#parts;
    if (!partial.hasOthers) return;
    // Listed before the claims are read: who begins to write later has a file that is not among these.
    const others = await listOthers(folder, partial.file);
    const areAbandoned = others.length > 0 && (await isOursAlone().catch(() => false));
    if (!areAbandoned || (await hasRoomToCopy(folder, others, descriptor.size)))
      await this.#copyLongest(others, onCopied);
    if (areAbandoned) await removeFiles(others);
  }

  async #copyLongest(others: readonly OtherPartial[], onCopied?: (bytes: number) => void): Promise<void> {
    const other = await openLongest(others, this.#parts.descriptor.size);
    if (!other) return;
    try {
      await this.#copy(other, onCopied);
      this.#inherited = other.file;
    } finally {
      await other.handle.close();
    }
    await this.#flush();
    this.#offset = this.#writtenBytes;
  }

  async write(chunk: Uint8Array): Promise<void> {
    const { descriptor } = this.#parts;
    if (this.#writtenBytes + chunk.length > descriptor.size) {
      throw new LayerpullError(
        'size_mismatch',
        `${descriptor.digest} has more than the ${descriptor.size} bytes stated`,
        {
          hint: 'the registry serves other content than its manifest says',
        },
      );
    }
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
    this.#writtenBytes += chunk.length;
    if (this.#isTimeToWrite(descriptor.size - this.#writtenBytes))
      await storing(this.#action, () => this.#flush());
  }

  async commit(): Promise<void> {
    let found: Digest;
    try {
      found = await storing(this.#action, () => this.#finishFile());
    } finally {
      await this.close();
    }
    await this.#verify(found);
    await storing(this.#action, () => this.#publish());
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#stopFlushing();
    try {
      await this.#flush();
    } catch {
      // A partial that lost its tail is as good as one that ended earlier.
    } finally {
      await this.#sink.settle();
      await this.#parts.partial.handle.close();
    }
  }

  async discard(): Promise<void> {
    await this.close();
    await rm(this.#parts.partial.file, { force: true });
  }

  /** A short rest goes with the write before it. */
  #isTimeToWrite(restBytes: number): boolean {
    if (this.#waiting.length >= maxPieces) return true;
    return this.#waitingBytes >= writeBytes && restBytes > shortRestBytes;
  }

  get #action(): string {
    return `store ${this.#parts.descriptor.digest}`;
  }

  async #copy(other: Partial, onCopied?: (bytes: number) => void): Promise<void> {
    const { size } = this.#parts.descriptor;
    while (this.#writtenBytes < size) {
      const buffer = Buffer.allocUnsafe(Math.min(writeBytes, size - this.#writtenBytes));
      const { bytesRead } = await other.handle.read(buffer, 0, buffer.length, this.#writtenBytes);
      if (bytesRead === 0) return;
      await this.write(buffer.subarray(0, bytesRead));
      onCopied?.(this.#writtenBytes);
    }
  }

  /** One write after the other. */
  #flush(): Promise<void> {
    if (this.#waiting.length > 0) {
      this.#flushed = this.#flushed.then(() => this.#writeWaiting());
      // Whoever flushes next hears of it.
      this.#flushed.catch(() => {});
    }
    return this.#flushed;
  }

  async #finishFile(): Promise<Digest> {
    await this.#flush();
    const digest = await this.#sink.finish();
    const { ino, size } = await this.#parts.partial.handle.stat();
    this.#inode = ino;
    this.#refuseCut(size);
    return digest;
  }

  async #writeWaiting(): Promise<void> {
    const pieces = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    if (pieces.length > 0) await this.#sink.append(pieces);
  }

  async #verify(found: Digest): Promise<void> {
    const { digest, size } = this.#parts.descriptor;
    if (this.#writtenBytes < size) {
      throw new LayerpullError(
        'size_mismatch',
        `${digest} ended after ${this.#writtenBytes} of ${size} bytes`,
      );
    }
    if (found === digest) return;
    await rm(this.#parts.partial.file, { force: true });
    if (this.#inherited) await rm(this.#inherited, { force: true });
    throw new LayerpullError('digest_mismatch', `${digest} does not match its bytes: they are ${found}`, {
      hint: 'the registry or something on the way to it changes content; nothing was kept',
    });
  }

  /** The hash speaks of the bytes that came; this of the bytes that are in the file. */
  #refuseCut(bytes: number): void {
    if (bytes === this.#writtenBytes) return;
    const { file } = this.#parts.partial;
    throw new LayerpullError(
      'store_failed',
      `${file} has ${bytes} bytes where ${this.#writtenBytes} were written`,
      {
        hint: 'something else changed it; pull again',
      },
    );
  }

  /** What was hashed went through the handle; what is published goes by its name. */
  async #refuseOther(file: string): Promise<void> {
    const stats = await lstat(file).catch(() => undefined);
    if (!stats || stats.ino === this.#inode) return;
    throw new LayerpullError(
      'store_failed',
      `cannot ${this.#action}: ${file} was replaced while it was written`,
      {
        hint: 'look who else writes into the store, then pull again',
      },
    );
  }

  async #publish(): Promise<void> {
    const { partial, target, folder, isThere, folderSync } = this.#parts;
    await this.#refuseOther(partial.file);
    try {
      await rename(partial.file, target);
    } catch (error) {
      // Whoever published meanwhile removed all partials, ours too.
      if (systemCodeOf(error) !== 'ENOENT' || !(await isThere())) throw storageError(error, this.#action);
    }
    await Promise.all([folderSync.sync(path.dirname(target)), removePartials(folder).catch(() => {})]);
  }
}

/** The folder is empty but for what others left. */
async function removePartials(folder: string): Promise<void> {
  try {
    await rmdir(folder);
  } catch {
    await rm(folder, { recursive: true, force: true });
  }
}
