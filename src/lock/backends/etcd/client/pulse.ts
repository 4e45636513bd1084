import type { Clock } from '../../../../core/clock.ts';
import { Silence } from './failures.ts';

/** So often within the time of a call a silent stream is asked for a sign of life. */
const asksPerCall = 4;

/**
 * Ends a stream of which nothing is heard, though it was asked, for as long as a call may take: a member that was
 * stopped, or a network that swallows everything, would leave it silent for ever. Counts ticks, not time: a process that
 * was stopped itself first hears what came meanwhile.
 */
export class Pulse {
  readonly #ms: number;
  readonly #stop: () => void;
  #isWaiting = false;
  #quietTicks = 0;
  #isSilent = false;

  constructor(
    { clock, callMs }: { readonly clock: Clock; readonly callMs: number },
    stream: { readonly ask: () => void; readonly end: () => void },
  ) {
    this.#ms = callMs;
    this.#stop = clock.every(callMs / asksPerCall, () => {
      // While nobody reads, what comes is not noticed.
      if (!this.#isWaiting) return;
      this.#quietTicks += 1;
      this.#isSilent = this.#quietTicks > asksPerCall + 1;
      if (this.#isSilent) stream.end();
      else stream.ask();
    });
  }

  /** The next message; undefined when the stream ended. @throws Silence, what the stream throws */
  async next<T>(messages: AsyncIterator<T, undefined>): Promise<T | undefined> {
    this.#isWaiting = true;
    this.#quietTicks = 0;
    try {
      return (await messages.next()).value;
    } catch (error) {
      throw this.#isSilent ? new Silence(this.#ms) : error;
    } finally {
      this.#isWaiting = false;
    }
  }

  stop(): void {
    this.#stop();
  }
}
