import type { Clock } from '../../../core/clock.ts';

/**
 * Time of the cluster as one server estimates it, in whole milliseconds: it goes on from the latest entry by the
 * server's own monotonic clock, and never goes back. Wall clocks that differ or jump change nothing.
 */
export class ClusterTime {
  readonly #clock: Clock;
  #baseMs: number;

  /** @param atMs the time right now */
  constructor(clock: Clock, atMs: number) {
    this.#clock = clock;
    this.#baseMs = atMs - clock.now();
  }

  now(): number {
    return Math.round(this.#baseMs + this.#clock.now());
  }

  /** An entry of that time was seen: it is not earlier than that. */
  heard(atMs: number): void {
    if (atMs > this.now()) this.#baseMs = atMs - this.#clock.now();
  }

  /** A clock for those who reckon in time of the cluster. */
  asClock(): Clock {
    return { ...this.#clock, now: () => this.now() };
  }
}
