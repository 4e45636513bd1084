import type { Clock } from '../core/clock.ts';
import type { Source, SourceGuide } from './locks.ts';

type Report = Parameters<SourceGuide['next']>[0];

interface Question {
  readonly report: Report;
  readonly stop: AbortController;
  readonly answer: Promise<Source | undefined>;
}

/** How long a request waits for the answer: whoever asks is told to ask again. */
const patienceMs = 1_000;

/**
 * A guide whose user is in another process, and asks by requests that must be answered soon: one question goes to the
 * lock server, and whoever asks again meanwhile gets the answer of that one.
 */
export class RelayGuide {
  readonly #guide: SourceGuide;
  readonly #clock: Clock;
  readonly #stopMoves: () => void;
  #question: Question | undefined;

  constructor(guide: SourceGuide, clock: Clock, onMove: (source: Source) => void) {
    this.#guide = guide;
    this.#clock = clock;
    this.#stopMoves = guide.onMove(onMove);
  }

  get source(): Source {
    return this.#guide.source;
  }

  /**
   * Undefined: no answer yet. A complaint about another source than the last one is another question, and so is one of
   * a reader that began again.
   */
  async next(report: Report, signal: AbortSignal): Promise<Source | undefined> {
    const question = this.#questionFor(report);
    const over = new AbortController();
    const late = this.#clock.sleep(patienceMs, AbortSignal.any([signal, over.signal])).catch(() => {});
    try {
      const source = await Promise.race([question.answer, late.then(() => undefined)]);
      signal.throwIfAborted();
      if (source && this.#question === question) this.#question = undefined;
      return source;
    } finally {
      over.abort();
    }
  }

  close(): void {
    this.#stopMoves();
    this.#question?.stop.abort();
  }

  #questionFor(report: Report): Question {
    const known = this.#question;
    if (known && isSame(known.report, report)) return known;
    known?.stop.abort();
    const stop = new AbortController();
    // A guide throws only when it is stopped.
    const answer = this.#guide.next(report, stop.signal).catch(() => undefined);
    this.#question = { report, stop, answer };
    return this.#question;
  }
}

function isSame(one: Report, other: Report): boolean {
  return one.bad?.sessionId === other.bad?.sessionId && (one.restarts ?? 0) === (other.restarts ?? 0);
}
