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
  /** Puts back what a deletion that was broken off had moved away although it is needed. */
  settle(): Promise<void>;
}
