import type { Clock } from '../core/clock.ts';
import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import type { Catalog, Reservation } from './catalog.ts';
import type { FlightWriter } from './flight-port.ts';
import { wrongDigest, wrongSize } from './raw-writer.ts';
import type { Expectation, Progress, RefWriter } from './ref-writer.ts';
import { Refusal } from './refusal.ts';

export interface FlightSessionParts {
  readonly ref: string;
  readonly descriptor: Descriptor;
  readonly writer: FlightWriter;
  readonly catalog: Catalog;
  readonly clock: Clock;
  /** Takes the bytes of a client that begins again at zero: a flight cannot. */
  readonly startRaw: () => Promise<RefWriter>;
}

/**
 * Hands the bytes of a stream to a flight. With its last byte the blob is published, before containerd commits: a commit
 * comes inside a transaction of containerd's that holds up all others, so only the entry of the catalog is left for it.
 */
export class FlightSession implements RefWriter {
  readonly #parts: FlightSessionParts;
  readonly #startedAtMs: number;
  #updatedAtMs: number;
  #published: Promise<Reservation> | undefined;

  constructor(parts: FlightSessionParts) {
    this.#parts = parts;
    this.#startedAtMs = parts.clock.wallNow();
    this.#updatedAtMs = this.#startedAtMs;
  }

  progress(): Progress {
    const { ref, descriptor, writer } = this.#parts;
    return {
      ref,
      startedAtMs: this.#startedAtMs,
      updatedAtMs: this.#updatedAtMs,
      offset: writer.written(),
      total: descriptor.size,
      expected: descriptor.digest,
    };
  }

  digest(): Digest | undefined {
    return this.#isWhole ? this.#parts.descriptor.digest : undefined;
  }

  async write(pieces: readonly Uint8Array[]): Promise<void> {
    const { writer, descriptor, clock } = this.#parts;
    const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
    if (writer.written() + bytes > descriptor.size) {
      throw new Refusal('outOfRange', `${descriptor.digest} has no more than ${descriptor.size} bytes`);
    }
    await writer.write(...pieces);
    this.#updatedAtMs = clock.wallNow();
    // The commit tells what went wrong.
    if (this.#isWhole) await this.#publish().catch(() => {});
  }

  async restart(): Promise<RefWriter> {
    await this.#parts.writer.close('was left by its client, which began again at zero');
    return await this.#parts.startRaw();
  }

  async commit({ total, expected, labels }: Expectation): Promise<Digest> {
    const { descriptor, writer } = this.#parts;
    if (!this.#isWhole || (total > 0 && total !== descriptor.size)) {
      throw wrongSize(writer.written(), total > 0 ? total : descriptor.size);
    }
    if (expected && expected !== descriptor.digest) throw wrongDigest(descriptor.digest, expected);
    const reservation = await this.#publish();
    await reservation.commit(labels);
    return descriptor.digest;
  }

  async close(): Promise<void> {
    const reservation = await this.#published?.catch(() => undefined);
    await reservation?.cancel();
    await this.#parts.writer.close('was left by its client');
  }

  get #isWhole(): boolean {
    return this.#parts.writer.written() === this.#parts.descriptor.size;
  }

  #publish(): Promise<Reservation> {
    this.#published ??= this.#publishOnce();
    return this.#published;
  }

  async #publishOnce(): Promise<Reservation> {
    const { catalog, descriptor, writer } = this.#parts;
    const reservation = await catalog.reserve(descriptor.digest, descriptor.size);
    try {
      await writer.commit();
      return reservation;
    } catch (error) {
      await reservation.cancel();
      throw error;
    }
  }
}
