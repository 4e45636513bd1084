import type { Clock } from '../core/clock.ts';
import type { Digest } from '../core/digest.ts';
import { messageOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';

export interface AnnouncerOptions {
  /** What the store has, complete. */
  readonly list: () => AsyncIterable<{ readonly digest: Digest }>;
  /** Tells the lock server what came and what went. */
  readonly announce: (add: readonly Digest[], remove: readonly Digest[]) => void;
  readonly clock: Clock;
  readonly log: Log;
  /** Milliseconds between two looks at the whole store. Default 30,000. */
  readonly everyMs?: number;
}

/**
 * Says what a store has: all of it at the start, then what changes. Changes that it is told of go out at once; what other
 * programs do to the store is noticed by looking.
 */
export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #known = new Set<Digest>();
  /** What was told while a look was under way, which may have seen it or not. */
  #touched = new Set<Digest>();
  #looking: Promise<void> | undefined;
  #stop = () => {};

  constructor(options: AnnouncerOptions) {
    this.#options = options;
  }

  /** Looks, then looks again and again. Never throws. */
  async start(): Promise<void> {
    const { clock, everyMs = 30_000 } = this.#options;
    this.#stop = clock.every(everyMs, () => void this.look());
    await this.look();
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#stop();
    await this.#looking;
  }

  came(digest: Digest): void {
    this.#touched.add(digest);
    if (this.#known.has(digest)) return;
    this.#known.add(digest);
    this.#options.announce([digest], []);
  }

  went(digest: Digest): void {
    this.#touched.add(digest);
    if (this.#known.delete(digest)) this.#options.announce([], [digest]);
  }

  /** Looks at the whole store, one look at a time. Never throws. */
  async look(): Promise<void> {
    this.#looking ??= this.#lookOnce().finally(() => {
      this.#looking = undefined;
    });
    await this.#looking;
  }

  async #lookOnce(): Promise<void> {
    const { list, log } = this.#options;
    this.#touched = new Set();
    const there = new Set<Digest>();
    try {
      for await (const { digest } of list()) there.add(digest);
    } catch (error) {
      log.warn({}, `cannot look what the store has: ${messageOf(error)}`);
      return;
    }
    this.#tellDifference(there);
  }

  #tellDifference(there: ReadonlySet<Digest>): void {
    const isNews = (digest: Digest) => !this.#touched.has(digest);
    const add = [...there].filter((digest) => !this.#known.has(digest) && isNews(digest));
    const remove = [...this.#known].filter((digest) => !there.has(digest) && isNews(digest));
    for (const digest of add) this.#known.add(digest);
    for (const digest of remove) this.#known.delete(digest);
    if (add.length + remove.length > 0) this.#options.announce(add, remove);
  }
}
