import { systemClock } from '../../../src/core/clock.ts';
import type { CliChild } from '../cli.ts';
import { startServer } from '../pulls.ts';

/** A lock server of its own process that is stopped, let go on, killed and started again. */
export class TestedServer {
  readonly #args: readonly string[];
  #child: CliChild | undefined;
  #port = 0;
  #starting: Promise<void> = Promise.resolve();

  /** @param args of `layerpull serve`, without an address */
  constructor(args: readonly string[]) {
    this.#args = args;
  }

  /** Of 127.0.0.1; another one after a restart. */
  get port(): number {
    return this.#port;
  }

  async start(): Promise<void> {
    const { url, child } = await startServer('127.0.0.1:0', this.#args);
    this.#child = child;
    this.#port = Number(new URL(url).port);
  }

  /** SIGSTOP, and SIGCONT after this time or when the signal aborts. */
  async pause(ms: number, signal: AbortSignal): Promise<void> {
    this.#child?.kill('SIGSTOP');
    await systemClock.sleep(ms, signal).catch(() => {});
    this.#child?.kill('SIGCONT');
  }

  /** SIGKILL, and another process with the same arguments. */
  async restart(): Promise<void> {
    this.#starting = this.kill().then(() => this.start());
    await this.#starting;
  }

  /** Resolves at once, or when the restart under way is done. */
  async ready(): Promise<void> {
    await this.#starting;
  }

  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL');
    await this.#child?.exited;
  }

  /** What it said, for people. */
  log(): string {
    return this.#child?.stderr.text() ?? '';
  }
}
