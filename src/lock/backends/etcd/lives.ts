import { abortable } from '../../../core/abort.ts';
import type { Clock } from '../../../core/clock.ts';
import { isLayerpullError, LayerpullError, messageOf } from '../../../core/errors.ts';
import { type Log, silentLog } from '../../../core/log.ts';
import { pauseBefore } from '../../../core/retry.ts';
import type { MachineOptions } from '../../machine/options.ts';
import type { Observe } from '../engine/teller.ts';
import { type Etcd, EtcdCompacted } from './client/etcd.ts';
import { Life } from './life.ts';
import { load } from './loader.ts';
import { agree } from './meta.ts';
import { rules as ownRules } from './replica/rules.ts';
import { takeSeat } from './seat.ts';

export interface LivesOptions extends Partial<Omit<MachineOptions, 'firstToken'>> {
  /** Whoever made it closes it, after the service. */
  readonly etcd: Etcd;
  readonly clock: Clock;
  /** Of layerpull. */
  readonly version: string;
  /** All servers of a cluster have the same. Default: those of this release. */
  readonly rules?: number;
  readonly log?: Log;
  /** Hears of everything that happens to locks by the doing of this server. */
  readonly observe?: Observe;
  /** The server cannot go on: whoever runs it should end it. */
  readonly onFailure?: (error: unknown) => void;
  /** Milliseconds that a request waits for etcd. Default 3,000. */
  readonly patienceMs?: number;
  /** Entries in the log of etcd after which a snapshot is due. Default 2,000. */
  readonly snapshotEvery?: number;
}

/** One life after the other: who loses its seat takes a new one. */
export interface Lives {
  /** The present one. @throws LayerpullError `lock_unreachable` between two of them */
  current(): Life;
  /** The present or the last one. */
  latest(): Life;
  trouble(): string | undefined;
  close(): Promise<void>;
}

export async function startLives(options: LivesOptions): Promise<Lives> {
  const lives = new LivesOfServer(options);
  await lives.begin();
  return lives;
}

class LivesOfServer implements Lives {
  readonly #options: LivesOptions;
  readonly #closing = new AbortController();
  #latest: Life | undefined;
  #trouble: string | undefined;
  #going: Promise<void> = Promise.resolve();
  #closed: Promise<void> | undefined;

  constructor(options: LivesOptions) {
    this.#options = options;
  }

  async begin(): Promise<void> {
    this.#latest = await this.#live();
    this.#going = this.#goOn(this.#latest);
  }

  current(): Life {
    const life = this.latest();
    if (!life.lost.aborted) return life;
    const why = life.troubleInShort() ?? 'the lock server joins the others again';
    throw new LayerpullError('lock_unreachable', why, {
      hint: 'ask again, or ask another lock server',
      retryAfterMs: 1_000,
    });
  }

  latest(): Life {
    if (!this.#latest) throw new Error('the service has not begun');
    return this.#latest;
  }

  trouble(): string | undefined {
    const life = this.latest();
    if (!life.lost.aborted) return life.trouble();
    // Until a try to live again failed, what ended the last life is the trouble.
    return this.#trouble ?? life.trouble() ?? 'it joins the others again';
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#closing.abort();
    await this.#going;
    await this.latest().leave();
  }

  /** Until the service is closed, or cannot go on. */
  async #goOn(first: Life): Promise<void> {
    const { signal } = this.#closing;
    const { log = silentLog } = this.#options;
    for (let life = first; ; ) {
      await ended(life.lost, signal);
      if (signal.aborted) return;
      await life.leave();
      const next = await this.#liveAgain();
      if (!next) return;
      this.#latest = next;
      this.#trouble = undefined;
      log.info({}, 'this lock server has its place among the others again');
      life = next;
    }
  }

  async #liveAgain(): Promise<Life | undefined> {
    const { clock, log = silentLog, onFailure } = this.#options;
    const { signal } = this.#closing;
    for (let failures = 0; !signal.aborted; failures += 1) {
      try {
        return await this.#live();
      } catch (error) {
        if (signal.aborted) return undefined;
        this.#trouble = messageOf(error);
        if (isLayerpullError(error) && error.code === 'cluster_mismatch') {
          onFailure?.(error);
          return undefined;
        }
        const level = failures === 0 ? 'warn' : 'debug';
        log[level]({ err: messageOf(error) }, 'this lock server cannot join the others yet, and tries again');
        await clock
          .sleep(pauseBefore(failures, { delayMs: 100, factor: 2, maxDelayMs: 2_000 }), signal)
          .catch(() => {});
      }
    }
    return undefined;
  }

  /** Once it knows what the others do; one that is not to be, for the service is closed meanwhile, leaves again. */
  async #begun(life: Life): Promise<void> {
    try {
      await abortable(life.begin(), this.#closing.signal);
    } catch (error) {
      await life.leave();
      throw error;
    }
  }

  /** Agrees with the others, takes a seat among them, and learns how things stand. */
  async #live(): Promise<Life> {
    const {
      etcd,
      clock,
      version,
      rules = ownRules,
      log = silentLog,
      observe,
      patienceMs = 3_000,
      snapshotEvery,
    } = this.#options;
    const { signal } = this.#closing;
    for (;;) {
      const agreement = await agree({
        etcd,
        clock,
        version,
        rules,
        options: machineOf(this.#options),
        signal,
      });
      const seat = await takeSeat(etcd, agreement, signal);
      if (!seat) continue;
      try {
        const { machine, atMs } = agreement;
        const loaded = await load({ etcd, machine, atMs, log, signal });
        const life = new Life({ etcd, clock, log, observe, seat, loaded, patienceMs, snapshotEvery });
        await this.#begun(life);
        log.debug({ seat: seat.id, revision: loaded.revision }, 'took a seat');
        return life;
      } catch (error) {
        await seat.lease.close();
        if (!(error instanceof EtcdCompacted)) throw error;
      }
    }
  }
}

/** What of the options is the machine's. */
function machineOf(options: LivesOptions): Partial<MachineOptions> {
  const { etcd, clock, version, rules, log, observe, onFailure, patienceMs, snapshotEvery, ...machine } =
    options;
  return machine;
}

async function ended(...signals: readonly AbortSignal[]): Promise<void> {
  const any = AbortSignal.any([...signals]);
  if (any.aborted) return;
  await new Promise<void>((resolve) => any.addEventListener('abort', () => resolve(), { once: true }));
}
