import type { Digest } from '../core/digest.ts';

/** A parsed image reference, normalised as docker does. */
export interface ImageReference {
  /** `docker.io`, `127.0.0.1:5000` … */
  readonly registry: string;
  /** `library/busybox` … */
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}
