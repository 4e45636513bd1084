import { abortable } from '../core/abort.ts';
import { isLayerpullError, LayerpullError, messageOf } from '../core/errors.ts';
import { type Log, silentLog } from '../core/log.ts';
import { type ElectionOptions, type Seat, takeSeat } from './embedded-election.ts';
import { isLeadWanted } from './lead-wish.ts';
import type { Locks } from './locks.ts';

export interface EmbeddedLocksOptions extends ElectionOptions {
  readonly log?: Log;
  /** Whether this process, where it coordinates, leaves that to an agent that wants to. Default: false: an agent waits. */
  readonly stepsAside?: boolean;
}

/**
 * The lock service of processes that share a store and have no server: they elect one of themselves. Each call goes
 * to whoever coordinates now; when that process ends or dies, the next call finds or becomes the next one. Sessions
 * then open again and re-assert what they hold.
 *
 * @throws LayerpullError `lock_unreachable`, from each method, when nobody can coordinate (another host has the
 *   store, its file system knows no locks)
 */
export function createEmbeddedLocks(options: EmbeddedLocksOptions): Locks {
  const bench = new Bench(options);
  return {
    openSession: (request, signal) => bench.callAgain((locks) => locks.openSession(request, signal), signal),
    renew: (id, heartbeat, signal) => bench.call((locks) => locks.renew(id, heartbeat, signal), signal),
    acquire: (request, signal) => bench.call((locks) => locks.acquire(request, signal), signal),
    release: (request, signal) => bench.call((locks) => locks.release(request, signal), signal),
    decline: (request, signal) => bench.call((locks) => locks.decline(request, signal), signal),
    sources: (request, signal) => bench.call((locks) => locks.sources(request, signal), signal),
    status: (request, signal) => bench.call((locks) => locks.status(request, signal), signal),
    list: (query, signal) => bench.call((locks) => locks.list(query, signal), signal),
    nodes: (signal) => bench.call((locks) => locks.nodes(signal), signal),
    watch: (id, signal) => bench.stream((locks) => locks.watch(id, signal), signal),
    watchResource: (type, id, signal) =>
      bench.stream((locks) => locks.watchResource(type, id, signal), signal),
    closeSession: async (id, signal) => {
      if (bench.isSeated) await bench.call((locks) => locks.closeSession(id, signal), signal);
    },
    close: () => bench.close(),
  };
}

/** Coordinators that may end one after the other while a session is opened. */
const maxTries = 10;
/** Between two looks for an agent that waits, in milliseconds. */
const lookMs = 500;

/** Keeps this process's seat, and leaves it when the coordinator is gone. */
class Bench {
  readonly #options: EmbeddedLocksOptions;
  readonly #log: Log;
  readonly #closing = new AbortController();
  readonly #stopLooking: () => void;
  #seat: Promise<Seat> | undefined;

  constructor(options: EmbeddedLocksOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLog;
    const look = () => void this.#stepAside().catch(() => {});
    this.#stopLooking = options.stepsAside ? options.clock.every(lookMs, look) : () => {};
  }

  get isSeated(): boolean {
    return this.#seat !== undefined;
  }

  async call<T>(work: (locks: Locks) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const taken = this.#take();
    const seat = await (signal ? abortable(taken, signal) : taken);
    try {
      return await work(seat.locks);
    } catch (error) {
      if (isGone(error)) await this.#leave(taken);
      throw error;
    }
  }

  /** For what may be asked twice: a coordinator that ends just then is no reason to go without one. */
  async callAgain<T>(work: (locks: Locks) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    for (let round = 1; ; round += 1) {
      const taken = this.#take();
      await (signal ? abortable(taken, signal) : taken);
      try {
        return await this.call(work, signal);
      } catch (error) {
        if (!isGone(error) || signal?.aborted || round >= maxTries) throw error;
      }
    }
  }

  async *stream<T>(work: (locks: Locks) => AsyncIterable<T>, signal: AbortSignal): AsyncIterable<T> {
    const taken = this.#take();
    const seat = await abortable(taken, signal);
    try {
      yield* work(seat.locks);
    } catch (error) {
      if (isGone(error)) await this.#leave(taken);
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#stopLooking();
    this.#closing.abort(new LayerpullError('lock_lost', 'the locks are closed'));
    await this.#leave(this.#seat);
  }

  #take(): Promise<Seat> {
    if (this.#seat) return this.#seat;
    const taken = this.#sitDown();
    this.#seat = taken;
    taken.catch(() => {
      if (this.#seat === taken) this.#seat = undefined;
    });
    return taken;
  }

  async #sitDown(): Promise<Seat> {
    try {
      const seat = await takeSeat(this.#options, this.#closing.signal);
      this.#log.debug({ role: seat.kind, store: this.#options.store }, 'coordinating on the store');
      return seat;
    } catch (error) {
      throw isLayerpullError(error) ? error : cannotCoordinate(this.#options.store, error);
    }
  }

  async #stepAside(): Promise<void> {
    const taken = this.#seat;
    const seat = await taken;
    if (seat?.kind !== 'coordinator' || !(await isLeadWanted(this.#options.store))) return;
    this.#log.info({ store: this.#options.store }, 'leaving the coordination of the store to its agent');
    await this.#leave(taken, true);
  }

  async #leave(taken: Promise<Seat> | undefined, staysHere = false): Promise<void> {
    if (!taken || this.#seat !== taken) return;
    this.#seat = undefined;
    const seat = await taken.catch(() => undefined);
    await seat?.close(staysHere);
  }
}

function isGone(error: unknown): boolean {
  return isLayerpullError(error) && error.code === 'lock_unreachable';
}

function cannotCoordinate(store: string, cause: unknown): LayerpullError {
  return new LayerpullError(
    'lock_unreachable',
    `cannot coordinate on the store ${store}: ${messageOf(cause)}`,
    {
      hint: 'give all pulls of this store one --server URL instead',
      cause,
    },
  );
}
