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
/** A stream that lasts this long tells well of its server, and the ones before it do not count any more. */
const lastingMs = 10_000;
/** What a server may want to be sent back in a header. */
const headerSafe = /^[\x20-\x7e]{1,256}$/;

interface Broken {
  /** What follows are its words, and mean nothing to another one. */
  readonly server: URL | undefined;
  readonly lastEventId: string | undefined;
  readonly retryMs: number | undefined;
  readonly atMs: number;
  /** Where the stream broke one time after the other. */
  readonly brokeAt: ReadonlySet<URL>;
}

/** One connection of a stream, as far as the next one has to know. */
export interface StreamTrack {
  /** Milliseconds to wait before it is opened there: what that server asked for, and up to half of it more. */
  pauseMs(server: URL): number;
  /** Sent when it is opened there. */
  headers(server: URL): Readonly<Record<string, string>>;
  opened(server: URL): void;
  onEvent(id: string | undefined): void;
  onRetry(ms: number): void;
  /** It broke, or could not be opened, and will be opened again. Answers at how many servers that was so in a row. */
  broke(): number;
}

/**
 * What a broken stream leaves for the one that follows: the id of its last event, and how long the server asks to wait,
 * for that very server alone. A stream that ended as it should leaves nothing.
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
    const { clock } = this.#options;
    let { server, lastEventId, retryMs } = before ?? {};
    let brokeAt: ReadonlySet<URL> = before?.brokeAt ?? new Set();
    let openedMs: number | undefined;
    return {
      pauseMs: (at) => (before?.server === at ? this.#pauseAfter(before) : 0),
      headers: (at) => (lastEventId === undefined || server !== at ? {} : { 'last-event-id': lastEventId }),
      opened: (at) => {
        if (server !== at) lastEventId = retryMs = undefined;
        server = at;
        openedMs = clock.now();
      },
      onEvent: (id) => {
        if (id !== undefined && headerSafe.test(id)) lastEventId = id;
      },
      onRetry: (ms) => {
        retryMs = Math.min(ms, maxRetryMs);
      },
      broke: () => {
        const atMs = clock.now();
        if (openedMs !== undefined && server) {
          const hasLasted = atMs - openedMs >= lastingMs;
          brokeAt = new Set(hasLasted ? [server] : [...brokeAt, server]);
        }
        this.#keep(path, { server, lastEventId, retryMs, atMs, brokeAt });
        return brokeAt.size;
      },
    };
  }

  /** Spread out, so that those who lost one server do not come back at one moment. */
  #pauseAfter({ atMs, retryMs }: Broken): number {
    if (retryMs === undefined) return 0;
    const { clock, random } = this.#options;
    const untilMs = atMs + retryMs * (1 + random() / 2);
    return Math.max(0, untilMs - clock.now());
  }

  #keep(path: string, broken: Broken): void {
    this.#broken.set(path, broken);
    const [oldest] = this.#broken.keys();
    if (this.#broken.size > maxStreams && oldest !== undefined) this.#broken.delete(oldest);
  }
}
