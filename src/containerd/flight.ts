import type { Clock } from '../core/clock.ts';
import type { Descriptor } from '../core/descriptor.ts';
import { LayerpullError, messageOf, toLayerpullError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { runLayer } from '../hooks/layer.ts';
import type { LayerCallbacks, OperationResult } from '../hooks/layer-callbacks.ts';
import type { LayerEvent, LayerOutcome } from '../hooks/layer-events.ts';
import type { DownloadContext, LayerStore } from '../hooks/layer-run.ts';
import type { Slots } from '../hooks/layer-slots.ts';
import { LockUnused } from '../hooks/layer-unused.ts';
import type { SessionLocks, SourceGuide } from '../lock/locks.ts';
import type { BlobSource } from '../source/blob-source.ts';
import type { Opened } from './flight-port.ts';
import { type Tell, ToldLocks } from './told-locks.ts';
import { watchedStore } from './watched-store.ts';
import { type WriterBounds, WriterSource } from './writer-source.ts';

export interface FlightParts {
  readonly locks: SessionLocks;
  readonly store: LayerStore;
  readonly clock: Clock;
  readonly log: Log;
  /**
   * One source for one blob that reads where the guide says, and from `registry` where it says so. Undefined: no other
   * node is read.
   */
  readonly guided?: ((guide: SourceGuide, registry: BlobSource) => BlobSource) | undefined;
  /** Bounds how many are brought at once. Default: no bound. */
  readonly slots?: Slots | undefined;
  readonly callbacks?: Partial<LayerCallbacks> | undefined;
  /** Keeps a blob from being removed while it is brought. Default: nothing does. */
  readonly claim?: ((descriptor: Descriptor) => Promise<{ release(): Promise<void> }>) | undefined;
  readonly writer: Partial<WriterBounds>;
  /** Milliseconds without anybody who asks, nor a writer, until it is given up. */
  readonly idleMs: number;
}

/** How a flight ended, for those who ask later. Undefined: there is nothing to tell, and who asks starts anew. */
export type Landed = Extract<Opened, { kind: 'present' | 'failed' }> | undefined;

const lookEveryMs = 1_000;

/** Brings one blob by the per-layer hook, while containerd asks for it again and again. */
export class Flight {
  /** Never rejects. */
  readonly landed: Promise<Landed>;
  readonly #descriptor: Descriptor;
  readonly #parts: FlightParts;
  readonly #source: WriterSource;
  readonly #end = new AbortController();
  #askedMs: number;
  /** What it does, for those who are told to wait. */
  #stage = 'looked for';

  constructor(descriptor: Descriptor, parts: FlightParts) {
    this.#descriptor = descriptor;
    this.#parts = parts;
    this.#source = new WriterSource(parts.clock, parts.writer);
    this.#askedMs = parts.clock.now();
    this.landed = this.#fly();
  }

  /** Never waits. */
  ask(): Opened {
    this.#askedMs = this.#parts.clock.now();
    const writer = this.#source.take();
    if (!writer) return { kind: 'wait', reason: `${this.#descriptor.digest} is being ${this.#stage}` };
    this.#stage = 'written';
    return { kind: 'writer', writer };
  }

  /** Ends it; what it has is kept. */
  abort(reason: Error): void {
    this.#end.abort(reason);
  }

  async #fly(): Promise<Landed> {
    const stopLooking = this.#parts.clock.every(lookEveryMs, () => this.#lookForAskers());
    try {
      return this.#tellOutcome(await this.#bring());
    } catch (error) {
      return this.#tellFailure(error);
    } finally {
      stopLooking();
    }
  }

  #lookForAskers(): void {
    const { clock, idleMs } = this.#parts;
    if (this.#source.isFed) this.#askedMs = clock.now();
    else if (clock.now() - this.#askedMs > idleMs)
      this.abort(new LayerpullError('interrupted', 'nobody asks for it any longer'));
  }

  async #bring(): Promise<LayerOutcome> {
    const { claim } = this.#parts;
    const claimed = await claim?.(this.#descriptor);
    try {
      return await this.#runLayer();
    } finally {
      await claimed?.release();
    }
  }

  async #runLayer(): Promise<LayerOutcome> {
    const { locks, store, clock, slots, callbacks } = this.#parts;
    return await runLayer(this.#descriptor, {
      locks: new ToldLocks(locks, clock, this.#tell),
      store: watchedStore(store, {
        published: () => this.#onPublished(),
        failed: (error) => this.#source.fail(error),
      }),
      download: (context) => this.#sourceFor(context).open(this.#descriptor, context),
      onEvent: (event) => this.#hear(event),
      callbacks: {
        ...(callbacks?.shouldSkip ? { shouldSkip: callbacks.shouldSkip } : {}),
        updateReferences: (type, digest, result) => this.#updateReferences(type, digest, result),
      },
      ...(slots ? { slots } : {}),
      ...{ clock, signal: this.#end.signal },
    });
  }

  /** Nobody is sent elsewhere while a writer is at work, which could not be told. */
  #sourceFor({ guide }: DownloadContext): BlobSource {
    const { guided } = this.#parts;
    if (!guided) return this.#source;
    return guided(
      {
        get source() {
          return guide.source;
        },
        onMove: (listener) =>
          guide.onMove((source) => {
            if (!this.#source.isFed) listener(source);
          }),
        next: (report, signal) => guide.next(report, signal),
      },
      this.#source,
    );
  }

  #hear(event: LayerEvent): void {
    switch (event.kind) {
      case 'waiting':
        this.#stage = `brought by ${event.holder ?? 'another node'}`;
        return;
      case 'started':
        this.#stage = 'made ready';
        return;
      case 'source': {
        const { kind: _, url, ...rest } = event;
        this.#stage = `read from ${url}`;
        this.#tell('source', { source: url, ...rest });
        return;
      }
      case 'revoked':
        this.#source.fail(new LayerpullError('lock_lost', event.message));
        this.#tell('revoked', { error: event.message });
        return;
      case 'progress':
    }
  }

  #onPublished(): void {
    this.#source.published();
    this.#tell('published', { size: this.#descriptor.size });
  }

  async #updateReferences(
    type: Parameters<LayerCallbacks['updateReferences']>[0],
    digest: Descriptor['digest'],
    result: OperationResult,
  ): Promise<void> {
    if (result.success && result.outcome === 'present')
      this.#tell('present', { size: this.#descriptor.size });
    const { updateReferences } = this.#parts.callbacks ?? {};
    if (!updateReferences) return;
    await updateReferences(type, digest, result);
    if (result.success) this.#tell('reference updated', { outcome: result.outcome });
  }

  #tellOutcome({ kind, by }: LayerOutcome): Landed {
    if (kind === 'skipped') this.#tell('skip', by ? { by } : {});
    return { kind: 'present' };
  }

  #tellFailure(error: unknown): Landed {
    const isTold = this.#source.hasTold(error);
    // Whoever still writes is told, whatever it was.
    this.#source.fail(error);
    if (error instanceof LockUnused) return undefined;
    if (this.#end.signal.aborted) {
      this.#tell('given up', { reason: messageOf(this.#end.signal.reason) });
      return undefined;
    }
    const failure = toLayerpullError(error);
    this.#tell('failed', { code: failure.code, error: messageOf(failure) });
    return isTold ? undefined : { kind: 'failed', error: failure };
  }

  readonly #tell: Tell = (message, fields = {}) => {
    this.#parts.log.info({ digest: this.#descriptor.digest, ...fields }, message);
  };
}
