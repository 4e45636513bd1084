import type { Clock } from '../core/clock.ts';
import type { Servers } from './servers.ts';

/** Both in milliseconds. */
export interface Patience {
  /** A server that is silent for so long is not waited for alone: the next one is asked as well. */
  readonly askNextMs: number;
  /** One that is silent for so long, while another one answered, is left. */
  readonly leaveMs: number;
}

export interface InTurn<T> {
  readonly servers: Servers;
  readonly clock: Clock;
  readonly patience: Patience;
  /** Ends all of it. */
  readonly signal: AbortSignal;
  /** One question. Ends with an error when its signal aborts. */
  readonly ask: (server: URL, signal: AbortSignal) => Promise<T>;
  /** Whether another server may be asked while one is silent. */
  readonly mayOverlap: boolean;
  /** Whether another server may be asked after this failure. */
  readonly mayGoOn: (error: unknown) => boolean;
  /** Gets the answer that came too late. */
  readonly discard?: (late: T) => void;
}

export interface TurnAnswer<T> {
  readonly server: URL;
  readonly value: T;
}

/** None of those that were asked gave an answer. */
export class NoAnswer extends Error {
  /** In the order in which they failed; at least one. */
  readonly failures: readonly { readonly server: URL; readonly error: unknown }[];

  constructor(failures: NoAnswer['failures']) {
    super('no server answered');
    this.failures = failures;
  }
}

/**
 * Asks the current server, then the next one as soon as one fails or stays silent; the first answer counts, and whoever
 * gave it becomes the current server for all. Silence alone moves nobody: where all are slow, as while an etcd behind
 * them elects a leader, moving about would only add to their work. A silent server is left once it stays so for
 * `leaveMs` although another one answered; one that never gave an answer, at once.
 *
 * @throws NoAnswer
 */
export async function askInTurn<T>(options: InTurn<T>): Promise<TurnAnswer<T>> {
  return await new Turn(options).run();
}

interface Try<T> {
  readonly server: URL;
  readonly startedMs: number;
  readonly stop: AbortController;
  readonly outcome: Promise<Outcome<T>>;
}

type Outcome<T> =
  | { readonly kind: 'answer'; readonly server: URL; readonly value: T }
  | { readonly kind: 'failure'; readonly server: URL; readonly error: unknown };

class Turn<T> {
  readonly #options: InTurn<T>;
  readonly #running = new Map<URL, Try<T>>();
  readonly #asked = new Set<URL>();
  readonly #failures: { readonly server: URL; readonly error: unknown }[] = [];
  readonly #first: URL;

  constructor(options: InTurn<T>) {
    this.#options = options;
    this.#first = options.servers.current();
  }

  async run(): Promise<TurnAnswer<T>> {
    this.#begin(this.#first);
    for (;;) {
      const news = await this.#news();
      if (news.kind === 'answer') return this.#take(news);
      if (news.kind === 'failure') this.#note(news);
      const next = this.#next();
      if (next) this.#begin(next);
      else if (this.#running.size === 0) throw new NoAnswer(this.#failures);
    }
  }

  #begin(server: URL): void {
    const { ask, signal, clock } = this.#options;
    const stop = new AbortController();
    const outcome = ask(server, AbortSignal.any([signal, stop.signal])).then(
      (value) => ({ kind: 'answer', server, value }) as const,
      (error: unknown) => ({ kind: 'failure', server, error }) as const,
    );
    this.#asked.add(server);
    this.#running.set(server, { server, stop, outcome, startedMs: clock.now() });
  }

  /** What comes first: an outcome, or the end of patience with the one that was asked last. */
  async #news(): Promise<Outcome<T> | { readonly kind: 'silence' }> {
    const outcomes = [...this.#running.values()].map(({ outcome }) => outcome);
    if (!this.#options.mayOverlap || !this.#next()) return await Promise.race(outcomes);
    const { servers, clock, patience } = this.#options;
    const over = new AbortController();
    // Where another request found this one to fail, nobody waits for it any more.
    const stop = servers.onMove(() => over.abort());
    const silence = clock
      .sleep(patience.askNextMs, over.signal)
      .catch(() => {})
      .then(() => ({ kind: 'silence' }) as const);
    try {
      return await Promise.race([...outcomes, silence]);
    } finally {
      stop();
      over.abort();
    }
  }

  #next(): URL | undefined {
    const { signal, servers, mayGoOn } = this.#options;
    if (signal.aborted || !this.#failures.every(({ error }) => mayGoOn(error))) return undefined;
    return servers.inOrder().find((server) => !this.#asked.has(server));
  }

  #note({ server, error }: Extract<Outcome<T>, { kind: 'failure' }>): void {
    this.#running.delete(server);
    this.#failures.push({ server, error });
  }

  #take({ server, value }: Extract<Outcome<T>, { kind: 'answer' }>): TurnAnswer<T> {
    const { servers } = this.#options;
    servers.answered(server);
    this.#running.delete(server);
    const first = this.#running.get(this.#first);
    this.#running.delete(this.#first);
    for (const other of this.#running.values()) this.#end(other);
    if (first && servers.hasAnswered(first.server)) void this.#judge(first, server);
    else {
      if (first) this.#end(first);
      if (server !== this.#first) servers.move(this.#first, server);
    }
    return { server, value };
  }

  /** The first one was asked and is silent still: waits for its answer, in the background, before it is left. */
  async #judge(first: Try<T>, better: URL): Promise<void> {
    const { servers, clock, patience, signal } = this.#options;
    const over = new AbortController();
    const leftMs = Math.max(0, first.startedMs + patience.leaveMs - clock.now());
    const silence = clock
      .sleep(leftMs, over.signal)
      .catch(() => {})
      .then(() => undefined);
    const outcome = await Promise.race([first.outcome, silence]);
    over.abort();
    if (outcome?.kind !== 'answer' && !signal.aborted) servers.move(first.server, better);
    this.#end(first);
  }

  #end({ stop, outcome }: Try<T>): void {
    const { discard = () => {} } = this.#options;
    void outcome.then((late) => {
      if (late.kind === 'answer') discard(late.value);
    });
    stop.abort(new Error('another server answered'));
  }
}
