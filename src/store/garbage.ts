import type { Digest } from '../core/digest.ts';

/** What is left in a store of work that did not end. */
export interface Leftover {
  /** `partial`: of downloads that nobody goes on with; `trash`: of deletions that were broken off. */
  readonly kind: 'partial' | 'trash';
  readonly digest: Digest;
  readonly bytes: number;
}

/** Beside blobs without references, what nobody misses. */
export interface Garbage {
  /** What `collect` would remove now. */
  find(): Promise<readonly Leftover[]>;
  /**
   * Removes the partials of blobs that no running pull claims, and ends deletions that were broken off.
   * @throws LayerpullError `store_*`
   */
  collect(): Promise<readonly Leftover[]>;
  /** Ends deletions that were broken off: puts back what is needed, removes the rest. Removes references of dead pulls. */
  settle(): Promise<void>;
}
