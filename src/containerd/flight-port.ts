import type { Descriptor } from '../core/descriptor.ts';
import type { LayerpullError } from '../core/errors.ts';

/** What one of containerd's writers feeds: the bytes of a blob that this node may read from the registry. */
export interface FlightWriter {
  /** Where its bytes begin; what is before is there already. */
  readonly offset: number;
  /** Bytes of the blob that are here, those before `offset` included. */
  written(): number;
  /** Resolves when there is room for more. @throws LayerpullError of the store or the lock: nothing more is taken */
  write(...pieces: readonly Uint8Array[]): Promise<void>;
  /** Resolves once the blob is verified and published. @throws LayerpullError, as `write`; also for wrong content */
  commit(): Promise<void>;
  /** Ends without publishing: the next node in the queue goes on. Idempotent; after `commit` it does nothing. */
  close(reason?: string): Promise<void>;
}

/** What a writer of containerd gets that asks for a blob. */
export type Opened =
  /** Not now: it asks again. */
  | { readonly kind: 'wait'; readonly reason: string }
  /** The blob is in the store. */
  | { readonly kind: 'present' }
  | { readonly kind: 'writer'; readonly writer: FlightWriter }
  /** Told once; who asks again starts anew. */
  | { readonly kind: 'failed'; readonly error: LayerpullError };

/** Brings blobs of images by the per-layer hook while containerd asks for them again and again. */
export interface Flights {
  /** Never waits. The first that asks for a blob starts what brings it. */
  open(descriptor: Descriptor): Opened;
  /** Idempotent. */
  close(): Promise<void>;
}
