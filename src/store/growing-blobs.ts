import type { Digest } from '../core/digest.ts';
import type { ByteRange } from './blob-store.ts';

/** A blob that is open for reading: whole, or still being written into the store. */
export interface GrowingBlob {
  /** Bytes of the whole. Absent while it is being written: the file does not say how many there will be. */
  readonly size?: number;
  /** Bytes that are there now. @throws LayerpullError `store_failed` */
  bytes(): Promise<number>;
  /**
   * The bytes of `range`, one read at a time; they follow a writer until the last one is there, no faster than they are
   * taken.
   *
   * @throws LayerpullError `store_failed` when the writer gives up before, or the blob ends before; `signal.reason`
   */
  read(range: ByteRange, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** Call it when the last read has ended. Idempotent. */
  close(): Promise<void>;
}

/** What can be read of a store's blobs, also before they are published, whichever process writes them. */
export interface GrowingBlobs {
  /** Undefined where the blob is neither there nor being written. @throws LayerpullError `store_*` */
  open(digest: Digest): Promise<GrowingBlob | undefined>;
}
