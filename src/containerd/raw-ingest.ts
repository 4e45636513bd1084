import type { Hash } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import type { Clock } from '../core/clock.ts';
import {
  type Digest,
  type DigestAlgorithm,
  digestAlgorithm,
  finishDigest,
  startDigest,
} from '../core/digest.ts';
import { LayerpullError } from '../core/errors.ts';
import { Refusal } from './refusal.ts';

/** What is known of an ingest while nobody writes it. */
export interface RawState {
  readonly ref: string;
  /** Milliseconds since the Unix epoch. */
  readonly startedAtMs: number;
  updatedAtMs: number;
  /** Bytes that the whole will have, as far as its first writer knew; 0 otherwise. */
  total: number;
  /** Bytes that are there. */
  offset: number;
  /** Of the bytes that are there. Undefined after a restart: the file is read again then. */
  hash: Hash | undefined;
}

export interface RawFile {
  readonly data: string;
  readonly algorithm: DigestAlgorithm;
  readonly clock: Clock;
  /** Ends a long read of what is there. */
  readonly signal: AbortSignal;
}

const readBytes = 1_048_576;

/** One writer of one ingest. The bytes are hashed as they come, so that a commit reads nothing again. */
export class RawIngest {
  readonly #file: RawFile;
  readonly #handle: FileHandle;
  readonly state: RawState;
  #isOpen = true;
  #isSynced = false;

  private constructor(file: RawFile, state: RawState, handle: FileHandle) {
    this.#file = file;
    this.state = state;
    this.#handle = handle;
  }

  /** Goes on where the last writer stopped. @throws the system's error */
  static async open(file: RawFile, state: RawState): Promise<RawIngest> {
    const handle = await open(file.data, 'a+', 0o644);
    const ingest = new RawIngest(file, state, handle);
    try {
      await ingest.#settle();
      return ingest;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Of the bytes that are there. */
  digest(): Digest {
    return finishDigest(this.#hash.copy(), this.#file.algorithm);
  }

  /** Appends. After a failure, what had been acknowledged before is kept. @throws the system's error */
  async write(bytes: Uint8Array): Promise<void> {
    this.#refuseClosed();
    this.#isSynced = false;
    for (let written = 0; written < bytes.length; ) {
      written += (await this.#handle.write(bytes, written, bytes.length - written)).bytesWritten;
    }
    this.#hash.update(bytes);
    this.state.offset += bytes.length;
    this.state.updatedAtMs = this.#file.clock.wallNow();
    // Its commit will come inside a transaction of containerd's, which holds up all others: what takes long is done here.
    if (this.state.offset === this.state.total) await this.sync();
  }

  async truncate(): Promise<void> {
    this.#refuseClosed();
    await this.#handle.truncate(0);
    this.#isSynced = false;
    this.state.offset = 0;
    this.state.hash = startDigest(this.#file.algorithm);
    this.state.updatedAtMs = this.#file.clock.wallNow();
  }

  async sync(): Promise<void> {
    this.#refuseClosed();
    if (this.#isSynced) return;
    await this.#handle.datasync();
    this.#isSynced = true;
  }

  /** The digest of all bytes by the algorithm of `expected`. */
  async digestLike(expected: Digest): Promise<Digest> {
    const algorithm = digestAlgorithm(expected);
    if (algorithm === this.#file.algorithm) return this.digest();
    return finishDigest(await this.#readBack(algorithm, this.state.offset), algorithm);
  }

  /** Keeps what is there. Idempotent. */
  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#handle.close();
  }

  get #hash(): Hash {
    this.state.hash ??= startDigest(this.#file.algorithm);
    return this.state.hash;
  }

  /** Makes file and state agree. */
  async #settle(): Promise<void> {
    const { state } = this;
    const { size } = await this.#handle.stat();
    if (size < state.offset) await this.truncate();
    else if (size > state.offset) await this.#handle.truncate(state.offset);
    state.hash ??= await this.#readBack(this.#file.algorithm, state.offset);
  }

  async #readBack(algorithm: DigestAlgorithm, bytes: number): Promise<Hash> {
    const hash = startDigest(algorithm);
    const buffer = Buffer.allocUnsafe(Math.min(readBytes, bytes));
    for (let position = 0; position < bytes; ) {
      this.#file.signal.throwIfAborted();
      const wanted = Math.min(buffer.length, bytes - position);
      const { bytesRead } = await this.#handle.read(buffer, 0, wanted, position);
      if (bytesRead === 0) throw new LayerpullError('store_failed', `${this.#file.data} was cut`);
      hash.update(buffer.subarray(0, bytesRead));
      position += bytesRead;
    }
    return hash;
  }

  #refuseClosed(): void {
    if (!this.#isOpen) throw new Refusal('aborted', `the ingest ${this.state.ref} was ended`);
  }
}

export async function removeFiles(...files: readonly string[]): Promise<void> {
  for (const file of files) await rm(file, { force: true });
}
