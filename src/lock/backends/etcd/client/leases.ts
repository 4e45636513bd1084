import { randomBytes } from 'node:crypto';
import { isLayerpullError, LayerpullError } from '../../../../core/errors.ts';
import type { Calls } from './calls.ts';
import type { EtcdLease } from './etcd.ts';
import { isServiceError } from './failures.ts';
import { KeepAlives } from './keep-alives.ts';
import { KeptLease } from './kept-lease.ts';
import type { LeaseGrantReply, LeaseKeepAliveReply } from './messages.ts';

/** A lease is ended within so many milliseconds or left to end by itself. */
const revokeMs = 500;
const maxGrants = 3;

/** The leases of one client. Each is asked to be kept every third of its time. */
export class Leases {
  readonly #calls: Calls;
  readonly #leases = new Map<number, { readonly lease: KeptLease; readonly stop: () => void }>();
  #keepAlives: KeepAlives | undefined;
  #isClosed = false;

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  async grant(ttlSeconds: number, signal?: AbortSignal): Promise<EtcdLease> {
    const { clock } = this.#calls;
    const askedMs = clock.now();
    const { ID: id, TTL: seconds } = await this.#grant(ttlSeconds, signal);
    if (this.#isClosed) {
      await this.#end(id);
      throw new LayerpullError('etcd_unreachable', 'the client of etcd is closed');
    }
    const close = () => this.#end(id);
    const lease = new KeptLease(id, seconds * 1_000, askedMs, { clock, close });
    const stop = clock.every(Math.min(250, lease.ttlMs / 12), () => this.#tend(id, lease));
    this.#leases.set(id, { lease, stop });
    this.#stream().open();
    return lease;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#leases.values()].map(({ lease }) => lease.close()));
    this.#keepAlives?.close();
  }

  /** With an id of ours: a lease whose fate is not known is left to end by itself, and another one asked for. */
  async #grant(ttlSeconds: number, signal: AbortSignal | undefined): Promise<LeaseGrantReply> {
    for (let grants = 1; ; grants += 1) {
      const request = { TTL: ttlSeconds, ID: newId() };
      try {
        return await this.#calls.call(this.#calls.methods.leaseGrant, request, {
          isRepeatable: true,
          signal,
        });
      } catch (error) {
        if (!isTaken(error) || grants === maxGrants) throw error;
      }
    }
  }

  #tend(id: number, lease: KeptLease): void {
    if (lease.isOverdue) {
      const message = `etcd was not heard for the ${lease.ttlMs / 1_000} s of a lease`;
      this.#lose(id, lease, message);
      return;
    }
    const keepAlives = this.#stream();
    if (!keepAlives.isOpen) keepAlives.open();
    else if (lease.unansweredMs > this.#calls.callMs) keepAlives.giveUp();
    else if (lease.isDue) this.#ask(id, lease);
  }

  #ask(id: number, lease: KeptLease): void {
    lease.asked();
    this.#stream().ask(id);
  }

  #stream(): KeepAlives {
    this.#keepAlives ??= new KeepAlives(this.#calls, {
      onOpen: () => {
        for (const [id, { lease }] of this.#leases) this.#ask(id, lease);
      },
      onReply: (reply) => this.#hear(reply),
      onBroken: () => {
        for (const { lease } of this.#leases.values()) lease.disconnected();
      },
    });
    return this.#keepAlives;
  }

  #hear({ ID: id, TTL: seconds }: LeaseKeepAliveReply): void {
    const lease = this.#leases.get(id)?.lease;
    if (!lease) return;
    if (seconds > 0) lease.answered();
    else this.#lose(id, lease, 'etcd ended a lease of which it had not heard in time');
  }

  #lose(id: number, lease: KeptLease, message: string): void {
    this.#forget(id);
    lease.lose(new LayerpullError('etcd_unreachable', message));
  }

  #forget(id: number): void {
    this.#leases.get(id)?.stop();
    this.#leases.delete(id);
  }

  async #end(id: number): Promise<void> {
    this.#forget(id);
    const { clock, methods } = this.#calls;
    const late = new AbortController();
    const inTime = new AbortController();
    clock.sleep(revokeMs, inTime.signal).then(
      () => late.abort(),
      () => {},
    );
    try {
      await this.#calls.call(methods.leaseRevoke, { ID: id }, { isRepeatable: true, signal: late.signal });
    } catch {
      // It is over already, or will be when its time is.
    } finally {
      inTime.abort();
    }
  }
}

/** Between 1 and 2 to the 48. */
function newId(): number {
  return randomBytes(6).readUIntBE(0, 6) || 1;
}

function isTaken(error: unknown): boolean {
  const cause = isLayerpullError(error) ? error.cause : undefined;
  return isServiceError(cause) && cause.details.includes('lease already exists');
}
