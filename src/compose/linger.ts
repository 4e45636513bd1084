import { abortable } from '../core/abort.ts';
import type { Clock } from '../core/clock.ts';

/** Who reads from this node. */
export interface Readers {
  /** Requests that are being answered; those not who have taken nothing for `quietMs`. */
  readers(): number;
  /** When a byte of a layer was sent last, on the clock; before the first one minus infinity. */
  lastSentMs(): number;
}

/** Whom the lock server sends to this node. Its questions resolve once it answered or is out of reach, and never throw. */
export interface Door {
  /** Tells that others may be sent here, and hears who is. */
  welcome(): Promise<void>;
  /** Tells that nobody else is to be sent here, and hears who still is. */
  drain(): Promise<void>;
  /** Holders of other stores that were told to read here, as the server said last; 0 while it is out of reach. */
  readonly children: number;
}

export interface LingerOptions {
  readonly served: Readers;
  readonly session: Door;
  readonly clock: Clock;
  /**
   * Milliseconds for which others are still sent here while somebody reads. After them those who still read may finish,
   * unless they get nothing for as long again.
   */
  readonly lingerMs: number;
  /** Told once, when there is somebody to stay for. */
  readonly onStay?: (() => void) | undefined;
  /** Ends the wait at once. */
  readonly signal: AbortSignal;
}

/** How often one looks whether somebody reads, in milliseconds. */
const lookEveryMs = 50;
/** Whoever was sent here and does not read is done soon, or never comes: milliseconds between two questions for it. */
const askEveryMs = 250;
/** Between two layers a node reads from nobody: milliseconds since the last byte for which it may come back. */
const betweenMs = 250;
/**
 * Without a byte for this long nobody else is sent here, and readers of which the lock server knows nothing, or nothing
 * any more, are left: as soon as they would leave a peer. In milliseconds.
 */
export const quietMs = 5_000;

/**
 * Stays while others read from here. While they get bytes, and at most for `lingerMs`, this node is a source like any
 * other. Then nobody else is sent here, and those who are left may finish, until they get nothing for `lingerMs`. Where
 * nobody reads, and nobody did just now, it ends with one word to the lock server. Never throws.
 */
export async function linger(options: LingerOptions): Promise<void> {
  if (options.signal.aborted || options.lingerMs === 0) return;
  await new Stay(options).run();
}

class Stay {
  readonly #options: LingerOptions;
  readonly #sinceMs: number;
  #askedMs = Number.NEGATIVE_INFINITY;
  #isAsking = false;
  #isSaid = false;

  constructor(options: LingerOptions) {
    this.#options = options;
    this.#sinceMs = options.clock.now();
  }

  async run(): Promise<void> {
    const { session } = this.#options;
    for (;;) {
      await this.#receive();
      await this.#wait(session.drain());
      // Somebody may have been sent here just before that was heard.
      if (!this.#mayReceive() || !this.#isRead()) break;
    }
    await this.#seeOff();
  }

  /** Others may come while somebody reads. */
  async #receive(): Promise<void> {
    const { session } = this.#options;
    if (this.#isAwaited() && this.#mayReceive()) await this.#wait(session.welcome());
    while (this.#isAwaited() && this.#mayReceive()) await this.#look(() => session.welcome());
  }

  /** Nobody else comes. */
  async #seeOff(): Promise<void> {
    const { session, lingerMs } = this.#options;
    const patienceMs = () => (session.children > 0 ? lingerMs : Math.min(lingerMs, quietMs));
    while (this.#isRead() && this.#silentMs() < patienceMs()) await this.#look(() => session.drain());
  }

  #mayReceive(): boolean {
    const { clock, lingerMs } = this.#options;
    return clock.now() - this.#sinceMs < lingerMs && this.#silentMs() < quietMs;
  }

  #isRead(): boolean {
    const { served, session, signal } = this.#options;
    return !signal.aborted && (session.children > 0 || served.readers() > 0);
  }

  #isAwaited(): boolean {
    const { served, clock, signal } = this.#options;
    return this.#isRead() || (!signal.aborted && clock.now() - served.lastSentMs() < betweenMs);
  }

  /** Milliseconds for which nobody got a byte. */
  #silentMs(): number {
    const { served, clock } = this.#options;
    return clock.now() - Math.max(this.#sinceMs, served.lastSentMs());
  }

  async #look(ask: () => Promise<void>): Promise<void> {
    const { served, clock, onStay, signal } = this.#options;
    if (!this.#isSaid && this.#isRead()) {
      this.#isSaid = true;
      onStay?.();
    }
    if (served.readers() === 0) this.#askAgain(ask);
    await clock.sleep(lookEveryMs, signal).catch(() => {});
  }

  /** Unless that is under way or was just now. */
  #askAgain(ask: () => Promise<void>): void {
    const nowMs = this.#options.clock.now();
    if (this.#isAsking || nowMs - this.#askedMs < askEveryMs) return;
    this.#isAsking = true;
    this.#askedMs = nowMs;
    void ask().finally(() => {
      this.#isAsking = false;
    });
  }

  async #wait(answer: Promise<void>): Promise<void> {
    const { clock, signal } = this.#options;
    this.#askedMs = clock.now();
    await abortable(answer, signal).catch(() => {});
  }
}
