import { abortable, forMany } from '../core/abort.ts';
import type { Clock } from '../core/clock.ts';
import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import type { BlobSource } from '../source/blob-source.ts';

/** Brings one blob of an image into the store, as pulls do. */
export type BringBlob = (
  name: string,
  descriptor: Descriptor,
  source: BlobSource,
  signal: AbortSignal,
) => Promise<void>;

/** One download, and how many wait for it. */
export interface Flight {
  readonly done: Promise<void>;
  readonly hasEnded: boolean;
}

/** A place in a flight. */
export interface Seat {
  readonly flight: Flight;
  /** Somebody else began it, with what they may read. */
  readonly isJoined: boolean;
  leave(): void;
}

interface Running extends Flight {
  readonly end: AbortController;
  users: number;
  hasEnded: boolean;
}

/** Milliseconds that a download goes on after the last client left: most of them come back for the rest. */
const lingerMs = 10_000;

/** Downloads under way, one for each blob. */
export class Flights {
  readonly #bring: BringBlob;
  readonly #clock: Clock;
  readonly #running = new Map<Digest, Running>();
  readonly #closing = new AbortController();
  readonly #closed = forMany([this.#closing.signal]);

  constructor(bring: BringBlob, clock: Clock) {
    this.#bring = bring;
    this.#clock = clock;
  }

  enter(name: string, descriptor: Descriptor, source: BlobSource): Seat {
    this.#closing.signal.throwIfAborted();
    const known = this.#running.get(descriptor.digest);
    const flight = known ?? this.#start(name, descriptor, source);
    flight.users += 1;
    const leave = () => {
      flight.users -= 1;
      if (flight.users === 0) this.#endLater(flight);
    };
    return { flight, isJoined: known !== undefined, leave };
  }

  /** Resolves once the blob is there. A flight of somebody else may fail for reasons of theirs, such as access. */
  async wait(name: string, descriptor: Descriptor, source: BlobSource, signal: AbortSignal): Promise<void> {
    for (;;) {
      const { flight, isJoined, leave } = this.enter(name, descriptor, source);
      try {
        return await abortable(flight.done, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!isJoined) throw error;
      } finally {
        leave();
      }
    }
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('the mirror is closed'));
    const running = [...this.#running.values()];
    for (const { end } of running) end.abort(this.#closing.signal.reason);
    await Promise.allSettled(running.map(({ done }) => done));
  }

  #start(name: string, descriptor: Descriptor, source: BlobSource): Running {
    const end = new AbortController();
    const { digest } = descriptor;
    const done = this.#bring(name, descriptor, source, end.signal).finally(() => {
      flight.hasEnded = true;
      if (this.#running.get(digest) === flight) this.#running.delete(digest);
    });
    const flight: Running = { done, end, users: 0, hasEnded: false };
    done.catch(() => {});
    this.#running.set(digest, flight);
    return flight;
  }

  #endLater(flight: Running): void {
    const end = () => {
      if (flight.users === 0) flight.end.abort(new Error('nobody waits for it any longer'));
    };
    this.#clock.sleep(lingerMs, this.#closed).then(end, () => {});
  }
}
