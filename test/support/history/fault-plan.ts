import { abortable, type Deferred, deferred } from '../../../src/core/abort.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { oneOf, type Random } from './choices.ts';
import { type Faults, noFaults } from './faulty-proxy.ts';
import type { TestedServer } from './tested-server.ts';
import type { Mishap } from './tested-service.ts';

export interface FaultPlanOptions {
  readonly servers: readonly TestedServer[];
  readonly random: Random;
  /** Kills a server and starts it again; absent where that is not done. */
  readonly restart: ((server: TestedServer) => Promise<void>) | undefined;
  /** What else goes wrong. Default: nothing. */
  readonly mishaps?: readonly Mishap[];
  /** Milliseconds of peace at the start. */
  readonly calmMs: number;
  /** Milliseconds of peace after a restart. */
  readonly settleMs: number;
  /** Ends all connections of clients. */
  readonly cutAll: () => void;
}

/** Most of the time a few things go wrong. */
const usual: Faults = { loseRequest: 0.01, loseReply: 0.02, sever: 0.01, delay: 0.05 };
const stormy: Faults = { loseRequest: 0.05, loseReply: 0.1, sever: 0.05, delay: 0.3 };

/** What goes wrong in a round, by chance, one thing after the other. */
export class FaultPlan {
  readonly #options: FaultPlanOptions;
  #faults = usual;
  #nextReply: Deferred<void> | undefined;
  /** For people: what was done to the server and the network. */
  readonly log: string[] = [];

  constructor(options: FaultPlanOptions) {
    this.#options = options;
  }

  faults(): Faults {
    return this.#faults;
  }

  /** From here on nothing goes wrong any more. */
  heal(): void {
    this.#faults = noFaults;
  }

  /** A client was handed a reply. */
  replied(): void {
    this.#nextReply?.resolve();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { random, restart, mishaps = [] } = this.#options;
    const others = mishaps.map(
      (one) => [one.weight, (until: AbortSignal) => one.run((text) => this.#note(text), until)] as const,
    );
    await systemClock.sleep(this.#options.calmMs, signal).catch(() => {});
    while (!signal.aborted) {
      await systemClock.sleep(100 + random() * 400, signal).catch(() => {});
      if (signal.aborted) return;
      const next = oneOf<(signal: AbortSignal) => Promise<void>>(random, [
        [2, (until) => this.#storm(until)],
        [2, async () => this.#cut()],
        [3, (until) => this.#pause(until)],
        [restart ? 6 : 0, (until) => this.#restart(restart, until)],
        ...others,
      ]);
      await next(signal);
    }
  }

  async #storm(signal: AbortSignal): Promise<void> {
    this.#note('storm');
    this.#faults = stormy;
    await systemClock.sleep(200 + this.#options.random() * 300, signal).catch(() => {});
    this.#faults = usual;
  }

  #cut(): void {
    this.#note('all connections are cut');
    this.#options.cutAll();
  }

  async #pause(signal: AbortSignal): Promise<void> {
    const ms = 50 + this.#options.random() * 1_200;
    const [server, name] = this.#oneServer();
    this.#note(`${name} is stopped for ${ms.toFixed()} ms`);
    await server.pause(ms, signal);
  }

  #oneServer(): readonly [TestedServer, string] {
    const { servers, random } = this.#options;
    const index = servers.length > 1 ? Math.floor(random() * servers.length) : 0;
    const server = servers[index];
    if (!server) throw new Error('there is no server');
    return [server, servers.length > 1 ? `server ${index + 1}` : 'the server'];
  }

  async #restart(restart: FaultPlanOptions['restart'], signal: AbortSignal): Promise<void> {
    if (this.#options.random() < 0.7) await this.#reply(signal);
    if (signal.aborted) return;
    const [server, name] = this.#oneServer();
    this.#note(`${name} is killed`);
    await restart?.(server);
    this.#note(`${name} runs again`);
    await systemClock.sleep(this.#options.settleMs, signal).catch(() => {});
  }

  /** The worst moment for a server that tells what it has yet to write: somebody was told just now. */
  async #reply(signal: AbortSignal): Promise<void> {
    this.#nextReply = deferred();
    await abortable(this.#nextReply.promise, signal).catch(() => {});
    this.#nextReply = undefined;
  }

  #note(text: string): void {
    this.log.push(`[${systemClock.now().toFixed(1)}] ${text}`);
  }
}
