import { type Deferred, deferred } from '../core/abort.ts';
import { LayerpullError } from '../core/errors.ts';
import type { SessionId } from '../core/ids.ts';
import type { SessionEvent } from './locks.ts';

/** Events in line for one reader; more are a reader that does not read. */
const maxLine = 1_000;

/** The streams of local sessions: what the local service tells, and what comes from the lock server. */
export class RelayStreams {
  readonly #open = new Map<SessionId, Set<Line>>();

  /** Told to all streams that the session has now. */
  tell(sessionId: SessionId, event: SessionEvent): void {
    for (const line of this.#open.get(sessionId) ?? []) line.push(event);
  }

  /** The events of the local stream, each as `rewrite` tells it, with what is told meanwhile. */
  async *merge(
    sessionId: SessionId,
    open: (signal: AbortSignal) => AsyncIterable<SessionEvent>,
    signal: AbortSignal,
    rewrite: (event: SessionEvent) => SessionEvent,
  ): AsyncGenerator<SessionEvent, void, undefined> {
    const over = new AbortController();
    const line = new Line();
    const pump = async () => {
      for await (const event of open(AbortSignal.any([signal, over.signal]))) {
        line.push(rewrite(event));
        // From the snapshot on: nothing comes before it, and nothing after it is missed.
        this.#add(sessionId, line);
      }
    };
    const pumping = pump().then(
      () => line.end(),
      (error: unknown) => line.fail(error),
    );
    try {
      for (let event = await line.next(); event; event = await line.next()) yield event;
    } finally {
      this.#remove(sessionId, line);
      over.abort();
      await pumping;
    }
  }

  #add(sessionId: SessionId, line: Line): void {
    const lines = this.#open.get(sessionId) ?? new Set();
    this.#open.set(sessionId, lines.add(line));
  }

  #remove(sessionId: SessionId, line: Line): void {
    const lines = this.#open.get(sessionId);
    lines?.delete(line);
    if (lines?.size === 0) this.#open.delete(sessionId);
  }
}

class Line {
  readonly #events: SessionEvent[] = [];
  #news: Deferred<void> = deferred();
  #isOver = false;
  #error: unknown;

  push(event: SessionEvent): void {
    if (this.#isOver) return;
    if (this.#events.length < maxLine) this.#events.push(event);
    else this.fail(fellBehind());
    this.#news.resolve();
  }

  end(): void {
    this.#isOver = true;
    this.#news.resolve();
  }

  fail(error: unknown): void {
    if (this.#isOver) return;
    this.#error = error;
    this.end();
  }

  async next(): Promise<SessionEvent | undefined> {
    for (;;) {
      const event = this.#events.shift();
      if (event) return event;
      if (this.#error !== undefined) throw this.#error;
      if (this.#isOver) return undefined;
      this.#news = deferred();
      await this.#news.promise;
    }
  }
}

function fellBehind(): LayerpullError {
  return new LayerpullError('lock_unreachable', 'the events of the agent came faster than they were read', {
    hint: 'listen again: a stream begins with how things stand',
  });
}
