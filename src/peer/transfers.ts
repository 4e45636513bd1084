import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Clock } from '../core/clock.ts';
import type { Digest } from '../core/digest.ts';

export interface TransferLimits {
  /** Transfers at once; more get status 503. Default 128. */
  readonly maxTransfers: number;
  /** Milliseconds in which a reader takes `minBytes` of what waits for it, or it is cut off. Default 30,000. */
  readonly slowMs: number;
  /** Default 65,536. */
  readonly minBytes: number;
}

export const defaultTransferLimits: TransferLimits = {
  maxTransfers: 128,
  slowMs: 30_000,
  minBytes: 65_536,
};

/** Digests whose bytes are counted, the latest; a node that runs for months serves many. */
const maxCounted = 10_000;

interface Transfer {
  readonly response: ServerResponse;
  readonly ending: AbortController;
  takenBytes: number;
  sinceMs: number;
  /** When bytes were handed on last; its begin counts as once. */
  sentMs: number;
}

/** Blobs on their way to readers. */
export class Transfers {
  readonly #limits: TransferLimits;
  readonly #clock: Clock;
  readonly #active = new Set<Transfer>();
  readonly #served = new Map<Digest, number>();
  readonly #stopWatching: () => void;
  #lastSentMs = Number.NEGATIVE_INFINITY;
  #onIdle: (() => void)[] = [];

  constructor(clock: Clock, limits: TransferLimits) {
    this.#clock = clock;
    this.#limits = limits;
    this.#stopWatching = clock.every(Math.ceil(limits.slowMs / 3), () => this.#cutSlow());
  }

  get count(): number {
    return this.#active.size;
  }

  /** Those to whom bytes were handed on in the last `ms` milliseconds. */
  moving(ms: number): number {
    const sinceMs = this.#clock.now() - ms;
    return [...this.#active].filter(({ sentMs }) => sentMs > sinceMs).length;
  }

  get isFull(): boolean {
    return this.#active.size >= this.#limits.maxTransfers;
  }

  /** When bytes were given to a reader last, on the clock; before the first ones minus infinity. */
  get lastSentMs(): number {
    return this.#lastSentMs;
  }

  /** Bytes given to readers since it started, by digest. */
  get served(): ReadonlyMap<Digest, number> {
    return this.#served;
  }

  /**
   * Sends what `bytes` gives, no faster than the reader takes it. Ends with the bytes, and cuts the connection when they
   * break off. Never rejects.
   */
  async send(
    response: ServerResponse,
    digest: Digest,
    bytes: (signal: AbortSignal) => AsyncIterable<Uint8Array>,
  ): Promise<void> {
    const transfer = this.#begin(response);
    const { signal } = transfer.ending;
    try {
      for await (const piece of bytes(signal)) {
        this.#count(digest, piece.length);
        this.#lastSentMs = this.#clock.now();
        if (!response.write(piece)) await once(response, 'drain', { signal });
        transfer.sentMs = this.#clock.now();
        signal.throwIfAborted();
      }
      response.end();
      await ended(response, signal);
    } catch {
      response.destroy();
    } finally {
      this.#end(transfer);
    }
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    if (this.#active.size > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  /** Cuts what is under way. */
  cut(): void {
    this.#stopWatching();
    for (const { response } of this.#active) response.destroy();
  }

  #begin(response: ServerResponse): Transfer {
    const ending = new AbortController();
    response.once('close', () => ending.abort(new Error('the reader has gone')));
    if (response.destroyed) ending.abort(new Error('the reader has gone'));
    const nowMs = this.#clock.now();
    const transfer = { response, ending, takenBytes: 0, sinceMs: nowMs, sentMs: nowMs };
    this.#active.add(transfer);
    return transfer;
  }

  #end(transfer: Transfer): void {
    this.#active.delete(transfer);
    if (this.#active.size > 0) return;
    const waiting = this.#onIdle;
    this.#onIdle = [];
    for (const resolve of waiting) resolve();
  }

  #count(digest: Digest, bytes: number): void {
    const before = this.#served.get(digest) ?? 0;
    this.#served.delete(digest);
    this.#served.set(digest, before + bytes);
    const [oldest] = this.#served.keys();
    if (this.#served.size > maxCounted && oldest !== undefined) this.#served.delete(oldest);
  }

  #cutSlow(): void {
    for (const transfer of this.#active) this.#look(transfer);
  }

  /** A reader for whom nothing waits is not slow: its blob grows slowly. */
  #look(transfer: Transfer): void {
    const { socket } = transfer.response;
    const nowMs = this.#clock.now();
    const waitingBytes = transfer.response.writableLength;
    const takenBytes = (socket?.bytesWritten ?? 0) - waitingBytes;
    if (waitingBytes === 0 || takenBytes - transfer.takenBytes >= this.#limits.minBytes) {
      transfer.takenBytes = takenBytes;
      transfer.sinceMs = nowMs;
    } else if (nowMs - transfer.sinceMs >= this.#limits.slowMs) {
      transfer.response.destroy();
    }
  }
}

/** Once the last byte is handed on, or the reader is gone. */
async function ended(response: ServerResponse, signal: AbortSignal): Promise<void> {
  if (!response.writableFinished) await once(response, 'finish', { signal });
}
