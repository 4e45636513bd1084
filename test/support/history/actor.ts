import { systemClock } from '../../../src/core/clock.ts';
import type { Digest } from '../../../src/core/digest.ts';
import { isLayerpullError } from '../../../src/core/errors.ts';
import type { SessionEvent } from '../../../src/lock/locks.ts';
import { type Belief, type Choice, choose, type Past, type Random } from './choices.ts';
import type { Held, RecordedClient } from './recorded-client.ts';
import type { Outcome } from './recorder.ts';

export interface ActorOptions {
  readonly client: RecordedClient;
  readonly hasSession: boolean;
  readonly random: Random;
  /** A resource with room for another operation; undefined when none is left. */
  readonly pick: () => Digest | undefined;
  /** Resolves while there is a server at all. */
  readonly ready: () => Promise<void>;
  /** Tokens that anybody was given last, by resource: strangers try them. */
  readonly tokens: Map<Digest, number>;
  readonly heartbeatMs: number;
}

const maxPauseMs = 40;

/** A client that does by chance what clients do, right and wrong, until it is stopped or nothing is left to do. */
export class Actor {
  readonly #options: ActorOptions;
  readonly #client: RecordedClient;
  readonly #beliefs = new Map<Digest, Belief>();
  readonly #past = new Map<Digest, Past>();
  #requests = 0;
  #opening: Promise<unknown> | undefined;

  constructor(options: ActorOptions) {
    this.#options = options;
    this.#client = options.client;
  }

  /** Stops without a word when the signal aborts. @throws what no server may answer */
  async run(signal: AbortSignal): Promise<void> {
    const isDone = new AbortController();
    const both = AbortSignal.any([signal, isDone.signal]);
    const beside = this.#options.hasSession ? [this.#beat(both), this.#listen(both)] : [];
    const work = this.#work(both).finally(() => isDone.abort());
    await Promise.all([work, ...beside]).catch((error) => {
      if (!both.aborted || error !== both.reason) throw error;
    });
  }

  /** Goes in good order, so that nobody has to wait until it is missed. */
  async leave(): Promise<void> {
    if (this.#options.hasSession) await this.#client.close();
    else
      for (const [resourceId, { type, token }] of this.#beliefs)
        await this.#client.decline(resourceId, { type, token });
  }

  async #work(signal: AbortSignal): Promise<void> {
    if (this.#options.hasSession) await this.#open(signal);
    while (!signal.aborted) {
      await this.#options.ready();
      const resourceId = this.#options.pick();
      if (!resourceId) return;
      await this.#do(resourceId, this.#choose(resourceId), signal);
      await systemClock.sleep(this.#options.random() * maxPauseMs, signal);
    }
  }

  async #beat(signal: AbortSignal): Promise<void> {
    for (;;) {
      await systemClock.sleep(this.#options.heartbeatMs, signal);
      await this.#options.ready();
      await this.#known(this.#client.renew(this.#held(), signal), signal);
    }
  }

  /** Streams break, and are opened again. */
  async #listen(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#options.ready();
      try {
        for await (const event of this.#client.watch(signal)) this.#hear(event);
      } catch (error) {
        if (!isLayerpullError(error)) throw error;
        if (error.code === 'session_unknown') await this.#open(signal);
        else if (error.code !== 'lock_unreachable') throw error;
      }
      await systemClock.sleep(this.#options.random() * maxPauseMs, signal);
    }
  }

  #hear(event: SessionEvent): void {
    if (!('resourceId' in event)) return;
    const { kind, type, resourceId } = event;
    const belief = this.#beliefs.get(resourceId);
    if (belief?.type !== type) return;
    if (kind === 'granted') this.#believe(resourceId, { ...belief, token: event.token });
    if (kind === 'revoked' && belief.token === event.token) this.#beliefs.delete(resourceId);
  }

  #choose(resourceId: Digest): Choice {
    return choose(this.#options.random, {
      belief: this.#beliefs.get(resourceId),
      past: this.#past.get(resourceId),
      anyToken: this.#options.tokens.get(resourceId),
      newRequestId: `${this.#client.member.who}, ${this.#requests}`,
    });
  }

  async #do(resourceId: Digest, choice: Choice, signal: AbortSignal): Promise<void> {
    if (choice.kind === 'acquire') await this.#acquire(resourceId, choice, signal);
    if (choice.kind === 'release') await this.#release(resourceId, choice, signal);
    if (choice.kind === 'decline') {
      const outcome = await this.#known(this.#client.decline(resourceId, choice, signal), signal);
      if (outcome.kind === 'answered') this.#beliefs.delete(resourceId);
    }
  }

  async #acquire(
    resourceId: Digest,
    choice: Choice & { kind: 'acquire' },
    signal: AbortSignal,
  ): Promise<void> {
    this.#requests += 1;
    const { type, requestId } = choice;
    this.#believe(resourceId, { type, requestId, token: this.#beliefs.get(resourceId)?.token });
    const outcome = await this.#known(this.#client.acquire(resourceId, choice, signal), signal);
    if (outcome.kind !== 'answered') return;
    const { reply } = outcome;
    if (reply.kind === 'granted') this.#believe(resourceId, { type, requestId, token: reply.token });
    else if (reply.kind === 'queued')
      this.#believe(resourceId, { type, requestId, position: reply.position });
    else this.#beliefs.delete(resourceId);
  }

  async #release(
    resourceId: Digest,
    choice: Choice & { kind: 'release' },
    signal: AbortSignal,
  ): Promise<void> {
    const { type, token, ended } = choice;
    const outcome = await this.#known(this.#client.release(resourceId, choice, signal), signal);
    if (outcome.kind !== 'answered') return;
    if (outcome.reply.kind === 'released' && token !== undefined)
      this.#past.set(resourceId, { type, token, ended });
    this.#beliefs.delete(resourceId);
  }

  #believe(resourceId: Digest, belief: Belief): void {
    this.#beliefs.set(resourceId, belief);
    if (belief.token !== undefined) this.#options.tokens.set(resourceId, belief.token);
  }

  #held(): Held[] {
    return [...this.#beliefs].flatMap(([resourceId, { type, token }]) =>
      token === undefined ? [] : [{ resourceId, type, token }],
    );
  }

  /** A session that the server lost is opened again under its id. */
  async #known<Reply>(asked: Promise<Outcome<Reply>>, signal: AbortSignal): Promise<Outcome<Reply>> {
    const outcome = await asked;
    if (outcome.kind === 'unknown-session') await this.#open(signal);
    return outcome;
  }

  /** Once, however many find out at the same time. */
  async #open(signal: AbortSignal): Promise<void> {
    this.#opening ??= this.#reopen(signal).finally(() => {
      this.#opening = undefined;
    });
    await this.#opening;
  }

  /** A server that was restarted may remember nothing: clients bring back what they hold, and their places. */
  async #reopen(signal: AbortSignal): Promise<void> {
    const outcome = await this.#client.open(signal);
    if (outcome.kind !== 'answered' || this.#beliefs.size === 0) return;
    await this.#client.renew(this.#held(), signal);
    const waiting = [...this.#beliefs].filter(([, { token }]) => token === undefined);
    await Promise.all(
      waiting.map(([resourceId, { type, requestId, position }]) =>
        this.#client.acquire(resourceId, { type, requestId, position }, signal),
      ),
    );
  }
}
