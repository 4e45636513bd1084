import type { Clock } from '../../../core/clock.ts';
import { messageOf } from '../../../core/errors.ts';
import type { Log } from '../../../core/log.ts';

/** What of etcd is not in reach. */
export type Part = 'entries' | 'changes';

const lost: Record<Part, string> = {
  entries: 'etcd takes no entries',
  changes: 'etcd tells of no changes',
};

export interface OutageOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Milliseconds that may pass before anybody hears of it. */
  readonly patienceMs: number;
}

/** Since when etcd is not in reach, and why: said once, when it lasts, and once when it is over. */
export class Outage {
  readonly #options: OutageOptions;
  readonly #parts = new Map<Part, { readonly sinceMs: number; why: string }>();
  #wasSaid = false;

  constructor(options: OutageOptions) {
    this.#options = options;
  }

  /** A try failed. */
  met(part: Part, error: unknown): void {
    const known = this.#parts.get(part);
    if (known) known.why = messageOf(error);
    else this.#parts.set(part, { sinceMs: this.#options.clock.now(), why: messageOf(error) });
  }

  over(part: Part): void {
    if (!this.#parts.delete(part) || this.#parts.size > 0 || !this.#wasSaid) return;
    this.#wasSaid = false;
    this.#options.log.info({}, 'etcd is in reach again');
  }

  has(part: Part): boolean {
    return this.#parts.has(part);
  }

  /** Why nobody can be served, for those who run it; undefined while it is only for a moment. */
  trouble(): string | undefined {
    const lasting = this.#lasting();
    return lasting && `${lost[lasting.part]}: ${lasting.why}`;
  }

  /** The same for clients, who need not know how etcd is reached. */
  inShort(): string | undefined {
    const lasting = this.#lasting();
    return lasting && lost[lasting.part];
  }

  #lasting(): { readonly part: Part; readonly why: string } | undefined {
    const { clock, patienceMs } = this.#options;
    for (const [part, { sinceMs, why }] of this.#parts) {
      if (clock.now() - sinceMs >= patienceMs) return { part, why };
    }
    return undefined;
  }

  /** Says it, if it has lasted; once. True when it did. */
  look(): boolean {
    const trouble = this.trouble();
    if (trouble === undefined || this.#wasSaid) return false;
    this.#wasSaid = true;
    this.#options.log.warn({}, `requests are answered 503: ${trouble}`);
    return true;
  }
}
