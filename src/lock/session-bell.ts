import { type Deferred, deferred } from '../core/abort.ts';
import type { Clock } from '../core/clock.ts';

/** Ends the pause before the next heartbeat when something is to be told at once. */
export class Bell {
  #ring: Deferred<void> | undefined;
  #wake: () => void = () => {};

  get isRung(): boolean {
    return this.#ring !== undefined;
  }

  /** Resolves when the heartbeat that answers is over. */
  async ring(): Promise<void> {
    this.#ring ??= deferred();
    const { promise } = this.#ring;
    this.#wake();
    await promise;
  }

  /** The heartbeat that is about to be sent answers all who rang until now. Answers what says that it is over. */
  answer(): () => void {
    const ring = this.#ring;
    this.#ring = undefined;
    return () => ring?.resolve();
  }

  /** Rests for `ms` milliseconds, until it is rung or `signal` aborts. Never throws. */
  async rest(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
    if (this.isRung) return;
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    await clock.sleep(ms, AbortSignal.any([signal, woken.signal])).catch(() => {});
    this.#wake = () => {};
  }
}
