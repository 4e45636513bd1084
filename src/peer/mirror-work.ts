import type { ServerResponse } from 'node:http';
import type { Clock } from '../core/clock.ts';

/**
 * Milliseconds after an answer in which its client may ask for more. Programs pull blob after blob, and one that began at
 * a mirror often cannot go on elsewhere.
 */
const pauseMs = 1_000;

/** What a mirror is doing for its clients, and whether more of them may come. */
export class MirrorWork {
  readonly #clock: Clock;
  #answers = 0;
  #lastEndMs = Number.NEGATIVE_INFINITY;
  #isEnding = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Answers under way. */
  get answers(): number {
    return this.#answers;
  }

  /** Whether a client is in the middle of a pull, as far as one can see. */
  get isBusy(): boolean {
    return this.#answers > 0 || this.#clock.now() - this.#lastEndMs < pauseMs;
  }

  /** No pull begins here any more. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  end(): void {
    this.#isEnding = true;
  }

  /** Counts an answer until its last byte is handed on, or its client is gone. */
  count(response: ServerResponse): void {
    this.#answers += 1;
    response.once('close', () => {
      this.#answers -= 1;
      this.#lastEndMs = this.#clock.now();
    });
  }
}
