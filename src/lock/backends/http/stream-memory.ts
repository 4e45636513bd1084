import type { Clock } from '../../../core/clock.ts';

export interface StreamMemoryOptions {
  readonly clock: Clock;
  /** Random number in [0, 1). */
  readonly random: () => number;
}

/** Streams remembered after they broke, at most: the oldest are forgotten first. */
const maxStreams = 1_000;
/** A server that asks for a longer pause is not heeded: heartbeats go on meanwhile. In milliseconds. */
const maxRetryMs = 30_000;
/** What a server may want to be sent back in a header. */
const headerSafe = /^[\x20-\x7e]{1,256}$/;

interface Broken {
  readonly lastEventId: string | undefined;
  readonly retryMs: number | undefined;
  readonly atMs: number;
}

/** One connection of a stream, as far as the next one has to know. */
export interface StreamTrack {
  /** Sent when it is opened. */
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds to wait before it is opened: what the server asked for, and up to half of it more. */
  readonly pauseMs: number;
  onEvent(id: string | undefined): void;
  onRetry(ms: number): void;
  /** It broke, and will be opened again. */
  broke(): void;
}

/**
 * What a broken stream leaves for the one that follows: the id of its last event, and how long the server asks to wait.
 * A stream that ended as it should leaves nothing.
 */
export class StreamMemory {
  readonly #options: StreamMemoryOptions;
  readonly #broken = new Map<string, Broken>();

  constructor(options: StreamMemoryOptions) {
    this.#options = options;
  }

  begin(path: string): StreamTrack {
    const before = this.#broken.get(path);
    this.#broken.delete(path);
    let { lastEventId, retryMs } = before ?? {};
    return {
      headers: lastEventId === undefined ? {} : { 'last-event-id': lastEventId },
      pauseMs: this.#pauseAfter(before),
      onEvent: (id) => {
        if (id !== undefined && headerSafe.test(id)) lastEventId = id;
      },
      onRetry: (ms) => {
        retryMs = Math.min(ms, maxRetryMs);
      },
      broke: () => this.#keep(path, { lastEventId, retryMs, atMs: this.#options.clock.now() }),
    };
  }

  /** Spread out, so that those who lost one server do not come back at one moment. */
  #pauseAfter(before: Broken | undefined): number {
    if (before?.retryMs === undefined) return 0;
    const { clock, random } = this.#options;
    const untilMs = before.atMs + before.retryMs * (1 + random() / 2);
    return Math.max(0, untilMs - clock.now());
  }

  #keep(path: string, broken: Broken): void {
    this.#broken.set(path, broken);
    const [oldest] = this.#broken.keys();
    if (this.#broken.size > maxStreams && oldest !== undefined) this.#broken.delete(oldest);
  }
}
