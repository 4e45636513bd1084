import type { Clock } from '../../../../core/clock.ts';

/** One key as etcd has it. */
export interface EtcdEntry {
  readonly key: string;
  readonly value: Buffer;
  /** When it was made, and when it was written last. */
  readonly createRevision: number;
  readonly modRevision: number;
}

/** What must be so for a transaction to do what it is for. */
export type EtcdCompare =
  | { readonly kind: 'created-at'; readonly key: string; readonly revision: number }
  | { readonly kind: 'changed-at'; readonly key: string; readonly revision: number }
  | { readonly kind: 'absent'; readonly key: string }
  /** No key begins with it. */
  | { readonly kind: 'none'; readonly prefix: string };

export type EtcdOperation =
  | { readonly kind: 'put'; readonly key: string; readonly value: string | Buffer; readonly lease?: LeaseId }
  | { readonly kind: 'delete'; readonly key: string }
  /** From the first key up to the second, which stays. */
  | { readonly kind: 'delete-range'; readonly from: string; readonly to: string }
  | { readonly kind: 'get'; readonly key: string };

/** No key may be put twice, nor be put and deleted: etcd refuses that. At most 128 operations unless etcd is told otherwise. */
export interface EtcdTransaction {
  readonly compare: readonly EtcdCompare[];
  readonly success: readonly EtcdOperation[];
  /** Done instead where a comparison failed. Default: nothing. */
  readonly failure?: readonly EtcdOperation[];
  /** Milliseconds until a member that does not answer is given up. Default: `callMs`. */
  readonly withinMs?: number;
}

export interface EtcdTransactionReply {
  readonly succeeded: boolean;
  /** Of the store, when it was done. */
  readonly revision: number;
  /** What the `get`s of the branch that was taken found, in their order. */
  readonly found: readonly (EtcdEntry | undefined)[];
}

export interface EtcdRange {
  readonly revision: number;
  /** In the order of their keys. */
  readonly entries: readonly EtcdEntry[];
}

export type EtcdChange =
  | { readonly kind: 'put'; readonly entry: EtcdEntry }
  | { readonly kind: 'delete'; readonly key: string; readonly revision: number };

/** Changes in the order in which they happened; `revision` is that of the last one. */
export interface EtcdChanges {
  readonly revision: number;
  readonly changes: readonly EtcdChange[];
}

/** A 64-bit number in decimal. */
export type LeaseId = string & { readonly __brand: 'LeaseId' };

/** Keys on it go when nobody keeps it any more. */
export interface EtcdLease {
  readonly id: LeaseId;
  /** Aborts once etcd says that the lease is over, or when nothing was heard from etcd for as long as it lasts. */
  readonly lost: AbortSignal;
  /** Ends it and deletes its keys, if etcd is in reach within a second. Idempotent, never throws. */
  close(): Promise<void>;
}

/**
 * The part of etcd's API, version 3, that locks need. Keys are UTF-8 below the prefix of the cluster, which callers do
 * not see.
 *
 * Every method throws LayerpullError: `etcd_unreachable` when no member answered in time (whether a transaction was done
 * is not known then), `etcd_denied` where etcd refuses who asks, `etcd_failed` for anything else that etcd refuses (no
 * space, a request too large). An aborted `signal` throws its reason.
 */
export interface Etcd {
  transact(transaction: EtcdTransaction, signal?: AbortSignal): Promise<EtcdTransactionReply>;
  /** All keys with the prefix, read in pages of one revision. Default revision: the latest. @throws EtcdCompacted */
  list(
    prefix: string,
    options?: { readonly revision?: number; readonly signal?: AbortSignal },
  ): Promise<EtcdRange>;
  /**
   * What happens to keys with the prefix from this revision on. First an empty one, of the revision before, as soon as
   * etcd watches. Ends when the signal aborts. @throws EtcdCompacted when changes from that revision are not to be had any more;
   * `etcd_unreachable` when the stream breaks or its member lost its leader: begin again behind the last revision
   */
  watch(prefix: string, fromRevision: number, signal: AbortSignal): AsyncIterable<EtcdChanges>;
  /** A new lease that is kept until it is closed. Keep-alives of all leases share one stream. */
  lease(ttlSeconds: number, signal?: AbortSignal): Promise<EtcdLease>;
  close(): Promise<void>;
}

/** The revision asked for is not to be had any more. */
export class EtcdCompacted extends Error {
  constructor() {
    super('etcd compacted the revision that was asked for');
    this.name = 'EtcdCompacted';
  }
}

export interface EtcdOptions {
  /** `HOST:PORT` of the members, or of some. */
  readonly endpoints: readonly string[];
  /** What all keys of this cluster begin with, such as `layerpull/`. */
  readonly prefix: string;
  /** PEM texts. Default: in clear. With an empty object: TLS with the certificates that Node trusts. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  readonly user?: { readonly name: string; readonly password: string };
  readonly clock: Clock;
  /** Milliseconds until a member that does not answer is given up for another. Default 2,000. */
  readonly callMs?: number;
  /** Number in [0, 1): which member is asked first, so that clients spread over them. Default `Math.random`. */
  readonly random?: () => number;
}
