import { type Deferred, deferred } from '../core/abort.ts';
import type { Clock } from '../core/clock.ts';
import type { Source, SourceGuide, SourceReply, SourceReport } from './sources.ts';

export interface GuideParts {
  /** As granted. */
  readonly source: Source;
  readonly clock: Clock;
  /** Asks the server once; undefined where it cannot be asked. Throws only the reason of `signal`. */
  readonly ask: (report: SourceReport, signal: AbortSignal) => Promise<SourceReply | undefined>;
}

/** A guide, with the end at which the server's word comes in. */
export interface ActiveGuide {
  readonly guide: SourceGuide;
  /** The server names a source, unasked. */
  move(source: Source): void;
}

const registry: Source = { kind: 'registry' };

/** A server that wants to be asked at once or in an hour is asked within these bounds all the same. In milliseconds. */
const waitBounds = { least: 50, most: 5_000 };

/** Nobody coordinates. */
export const registryGuide: SourceGuide = {
  source: registry,
  onMove: () => () => {},
  next: async () => registry,
};

export function createGuide(parts: GuideParts): ActiveGuide {
  const guide = new Guide(parts);
  return { guide, move: (source) => guide.move(source) };
}

class Guide implements SourceGuide {
  readonly #parts: GuideParts;
  readonly #listeners = new Set<(source: Source) => void>();
  #source: Source;
  /** The next word of the server that nobody asked for. */
  #word: Deferred<void> = deferred();

  constructor(parts: GuideParts) {
    this.#parts = parts;
    this.#source = parts.source;
  }

  get source(): Source {
    return this.#source;
  }

  onMove(listener: (source: Source) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  move(source: Source): void {
    const isElsewhere = !isSamePlace(source, this.#source);
    this.#source = source;
    this.#word.resolve();
    this.#word = deferred();
    if (isElsewhere) for (const listener of [...this.#listeners]) listener(source);
  }

  async next(report: SourceReport, signal: AbortSignal): Promise<Source> {
    for (;;) {
      signal.throwIfAborted();
      const word = this.#word;
      const reply = await this.#parts.ask(report, signal);
      if (reply?.kind === 'source') return this.#go(reply.source);
      if (reply?.kind === 'not-holder') return this.#go(registry);
      if (reply) await this.#wait(reply.retryMs, word, signal);
      // What the server said meanwhile by itself is an answer too.
      if (this.#word !== word) return this.#source;
      if (!reply) return this.#go(registry);
    }
  }

  #go(source: Source): Source {
    this.#source = source;
    return source;
  }

  /** Until the server wants to be asked again, or says something by itself. */
  async #wait(retryMs: number, word: Deferred<void>, signal: AbortSignal): Promise<void> {
    const told = new AbortController();
    void word.promise.then(() => told.abort());
    const ms = Math.min(Math.max(retryMs, waitBounds.least), waitBounds.most);
    await this.#parts.clock.sleep(ms, AbortSignal.any([signal, told.signal])).catch(() => {});
    signal.throwIfAborted();
  }
}

/** A peer that has it all by now is where it was. */
function isSamePlace(one: Source, other: Source): boolean {
  if (one.kind === 'registry' || other.kind === 'registry') return one.kind === other.kind;
  return one.url === other.url && one.sessionId === other.sessionId;
}
