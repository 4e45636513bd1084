import { abortable, deferred, startDeadline } from '../core/abort.ts';
import type { Clock } from '../core/clock.ts';
import type { Descriptor } from '../core/descriptor.ts';
import { LayerpullError } from '../core/errors.ts';
import { LockUnused } from '../hooks/layer-unused.ts';
import type { BlobSource, OpenBlob } from '../source/blob-source.ts';
import type { FlightWriter } from './flight-port.ts';
import { WriterFeed } from './writer-feed.ts';

export interface WriterBounds {
  /** Milliseconds that bytes are wanted until the lock goes to somebody else, as nobody writes them. Default 5,000. */
  readonly writerMs: number;
  /** Bytes that a writer may be ahead of the store. Default 1 MiB. */
  readonly bufferBytes: number;
}

export const defaultWriterBounds: WriterBounds = { writerMs: 5_000, bufferBytes: 1_048_576 };

/** Someone wants the bytes from here on. */
type Wanted = () => FlightWriter | undefined;

/**
 * The registry as containerd reads it: whoever opens this source waits for one of containerd's writers, which gets the
 * offset, seeks there, and writes what it reads.
 */
export class WriterSource implements BlobSource {
  readonly url = 'registry through containerd';
  readonly #clock: Clock;
  readonly #bounds: WriterBounds;
  #wanted: Wanted | undefined;
  #feed: WriterFeed | undefined;

  constructor(clock: Clock, bounds: Partial<WriterBounds> = {}) {
    this.#clock = clock;
    this.#bounds = { ...defaultWriterBounds, ...bounds };
  }

  /** Whether a writer is at work, its commit included. */
  get isFed(): boolean {
    return this.#feed?.isOpen ?? false;
  }

  /** The writer that is wanted now, if one is. */
  take(): FlightWriter | undefined {
    return this.#wanted?.();
  }

  /** Whether the last writer heard of this error. */
  hasTold(error: unknown): boolean {
    return this.#feed?.hasTold(error) ?? false;
  }

  published(): void {
    this.#feed?.published();
  }

  fail(error: unknown): void {
    this.#feed?.fail(error);
  }

  /**
   * @throws LockUnused when no writer comes in time; LayerpullError `interrupted` when one ends without a commit, and
   *   whatever is known against the bytes of before
   */
  async *open(descriptor: Descriptor, request: OpenBlob): AsyncGenerator<Uint8Array> {
    const { offset = 0, signal, onSource, standing } = request;
    this.#refuseBy(descriptor, standing);
    if (offset >= descriptor.size) return;
    const feed = await this.#awaitWriter(descriptor, offset, signal);
    onSource?.({ url: this.url, offset });
    yield* feed.bytes(signal);
  }

  #refuseBy({ digest }: Descriptor, standing: OpenBlob['standing']): void {
    const verdict = standing?.(this.url);
    if (verdict?.kind === 'wrong') throw verdict.error;
    if (verdict?.kind !== 'barred') return;
    throw new LayerpullError('registry_failed', `the registry may not go on with ${digest}`, {
      hint: 'its servers give different bytes; pull again',
    });
  }

  async #awaitWriter(descriptor: Descriptor, offset: number, signal: AbortSignal): Promise<WriterFeed> {
    const { writerMs, bufferBytes } = this.#bounds;
    const late = () => new LockUnused(`no writer came for ${descriptor.digest} within ${writerMs / 1_000} s`);
    const deadline = startDeadline(this.#clock, writerMs, signal, late);
    const arrived = deferred<WriterFeed>();
    const wanted: Wanted = () => {
      if (deadline.signal.aborted) return undefined;
      this.#wanted = undefined;
      const feed = new WriterFeed({ descriptor, offset, bufferBytes });
      this.#feed = feed;
      deadline.end();
      arrived.resolve(feed);
      return feed;
    };
    this.#wanted = wanted;
    try {
      return await abortable(arrived.promise, deadline.signal);
    } catch (error) {
      // It came, and what it was wanted for ended in the same moment.
      if (this.#wanted === undefined) this.fail(error);
      throw error;
    } finally {
      deadline.end();
      if (this.#wanted === wanted) this.#wanted = undefined;
    }
  }
}
