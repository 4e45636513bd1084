import type { Clock } from '../../../../core/clock.ts';
import type { EtcdLease, LeaseId } from './etcd.ts';

/** A lease and what is known of it. All times are those of the clock. */
export class KeptLease implements EtcdLease {
  readonly id: LeaseId;
  readonly ttlMs: number;
  readonly #clock: Clock;
  readonly #lost = new AbortController();
  readonly #close: () => Promise<void>;
  #closed: Promise<void> | undefined;
  /** When it was asked for what etcd answered last: etcd keeps it for `ttlMs` from then on at least. */
  #keptMs: number;
  #lastAskMs: number;
  /** When etcd was asked for what it has not answered, the oldest first. */
  #unanswered: number[] = [];

  /** @param grantedMs when it was asked for */
  constructor(
    id: number,
    ttlMs: number,
    grantedMs: number,
    { clock, close }: { readonly clock: Clock; readonly close: () => Promise<void> },
  ) {
    this.id = String(id) as LeaseId;
    this.ttlMs = ttlMs;
    this.#clock = clock;
    this.#close = close;
    this.#keptMs = grantedMs;
    this.#lastAskMs = grantedMs;
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Nothing was heard for as long as it lasts. */
  get isOverdue(): boolean {
    return this.#clock.now() - this.#keptMs >= this.ttlMs;
  }

  get isDue(): boolean {
    return this.#clock.now() - this.#lastAskMs >= this.ttlMs / 3;
  }

  /** Milliseconds for which etcd has owed an answer. */
  get unansweredMs(): number {
    const [first] = this.#unanswered;
    return first === undefined ? 0 : this.#clock.now() - first;
  }

  asked(): void {
    this.#lastAskMs = this.#clock.now();
    this.#unanswered.push(this.#lastAskMs);
  }

  answered(): void {
    this.#keptMs = this.#unanswered.shift() ?? this.#keptMs;
  }

  /** What was asked for is not answered any more. */
  disconnected(): void {
    this.#unanswered = [];
  }

  lose(reason: Error): void {
    this.#lost.abort(reason);
  }

  async close(): Promise<void> {
    this.#closed ??= this.#close();
    await this.#closed;
  }
}
