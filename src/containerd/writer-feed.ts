import { abortable, type Deferred, deferred } from '../core/abort.ts';
import type { Descriptor } from '../core/descriptor.ts';
import { LayerpullError, toLayerpullError } from '../core/errors.ts';
import type { FlightWriter } from './flight-port.ts';

export interface FeedParts {
  readonly descriptor: Descriptor;
  /** First byte that is wanted. */
  readonly offset: number;
  /** A write waits while more than so many bytes wait to be stored. */
  readonly bufferBytes: number;
}

/**
 * The way of a blob's bytes from one of containerd's writers to whoever stores them. Its reader gets all bytes, and its
 * end when the writer commits; the commit ends with what became of the blob, as `published` or `fail` say.
 */
export class WriterFeed implements FlightWriter {
  readonly offset: number;
  readonly #descriptor: Descriptor;
  readonly #bufferBytes: number;
  readonly #outcome: Deferred<void> = deferred();
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #written: number;
  #stage: 'writing' | 'committed' | 'over' = 'writing';
  /** What the writer hears of it; the reader, once it has read what came before, may hear of another. */
  #failure: LayerpullError | undefined;
  #stop: LayerpullError | undefined;
  #news: Deferred<void> = deferred();
  #room: Deferred<void> = deferred();

  constructor({ descriptor, offset, bufferBytes }: FeedParts) {
    this.#descriptor = descriptor;
    this.#bufferBytes = bufferBytes;
    this.offset = offset;
    this.#written = offset;
    this.#outcome.promise.catch(() => {});
  }

  /** Neither published nor failed yet. */
  get isOpen(): boolean {
    return this.#stage !== 'over';
  }

  /** Whether the writer heard of this error. */
  hasTold(error: unknown): boolean {
    return error !== undefined && (error === this.#failure || error === this.#stop);
  }

  written(): number {
    return this.#written;
  }

  async write(...pieces: readonly Uint8Array[]): Promise<void> {
    this.#refuseUnlessWriting();
    for (const piece of pieces) {
      if (piece.length === 0) continue;
      this.#waiting.push(piece);
      this.#waitingBytes += piece.length;
      this.#written += piece.length;
    }
    this.#news.resolve();
    while (this.#waitingBytes > this.#bufferBytes && !this.#failure) await this.#room.promise;
    if (this.#failure) throw this.#failure;
  }

  async commit(): Promise<void> {
    this.#refuseUnlessWriting();
    const { digest, size } = this.#descriptor;
    if (this.#written < size) {
      // How much a client sends is no verdict on what the registry has.
      this.#stop = this.#ended('was committed');
      this.#end(
        new LayerpullError('size_mismatch', `${digest} ended after ${this.#written} of ${size} bytes`),
      );
    } else {
      this.#stage = 'committed';
      this.#news.resolve();
    }
    await this.#outcome.promise;
  }

  async close(reason = 'was closed'): Promise<void> {
    if (this.#stage !== 'writing') return;
    this.#stop = this.#ended(reason);
    this.#end(this.#stop);
  }

  /** The blob is in its place. Idempotent; nothing after `fail`. */
  published(): void {
    this.#stage = 'over';
    this.#outcome.resolve();
  }

  /** Nothing comes of it. Idempotent; nothing after `published`. */
  fail(error: unknown): void {
    if (!this.isOpen) return;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#end(toLayerpullError(error));
  }

  /** What is written, until the commit. @throws LayerpullError `interrupted` when the writer ends without one */
  async *bytes(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    let isComplete = false;
    try {
      for (;;) {
        signal.throwIfAborted();
        const chunk = this.#waiting.shift();
        if (chunk) {
          yield chunk;
          this.#makeRoom(chunk.length);
        } else if (this.#stop ?? this.#failure) {
          throw this.#stop ?? this.#failure;
        } else if (this.#stage === 'committed') {
          isComplete = true;
          return;
        } else {
          await abortable(this.#news.promise, signal);
          this.#news = deferred();
        }
      }
    } finally {
      if (!isComplete) this.fail(signal.aborted ? signal.reason : this.#ended('was left by its reader'));
    }
  }

  #makeRoom(bytes: number): void {
    this.#waitingBytes = Math.max(0, this.#waitingBytes - bytes);
    this.#room.resolve();
    this.#room = deferred();
  }

  #refuseUnlessWriting(): void {
    if (this.#failure) throw this.#failure;
    if (this.#stage !== 'writing') throw this.#ended('was committed');
  }

  #end(error: LayerpullError): void {
    this.#stage = 'over';
    this.#failure = error;
    this.#outcome.reject(error);
    this.#news.resolve();
    this.#room.resolve();
  }

  #ended(how: string): LayerpullError {
    const { digest, size } = this.#descriptor;
    return new LayerpullError(
      'interrupted',
      `the writer of ${digest} ${how} after ${this.#written} of ${size} bytes`,
    );
  }
}
