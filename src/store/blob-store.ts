import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import type { SessionId, StoreId, Token } from '../core/ids.ts';

/** Bytes `start` to `end`, both inclusive, as in HTTP. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** Names the one writer that a partial ever has. `token` is absent when nobody coordinates. */
export interface Writer {
  readonly session: SessionId;
  readonly token?: Token;
}

/**
 * A blob on its way into the store. The writer is alone with its file; whoever stops leaves a partial that a later
 * ingest copies and goes on from.
 */
export interface Ingest {
  /** Bytes that are there already, copied from an abandoned partial and hashed: go on from here. */
  readonly offset: number;
  /** Appends. @throws LayerpullError `size_mismatch` past the declared size, `store_full`, `store_failed` */
  write(chunk: Uint8Array): Promise<void>;
  /** Bytes kept so far. */
  written(): number;
  /**
   * Checks size and digest, syncs, and publishes by rename; a wrong partial is removed. Publishing what another
   * writer published meanwhile is success. @throws LayerpullError `digest_mismatch`, `size_mismatch`, `store_*`
   */
  commit(): Promise<void>;
  /** Ends without publishing and keeps the partial. Idempotent; after `commit` it does nothing. */
  close(): Promise<void>;
  /** Ends without publishing and removes the partial. Idempotent. */
  discard(): Promise<void>;
}

export interface IngestOptions {
  /** Begin at zero, whatever others left. */
  readonly fresh?: boolean;
  /** Hears how many bytes of an abandoned partial are copied, while that goes on. */
  readonly onCopied?: (bytes: number) => void;
}

export interface DeletionOptions {
  /** Of the lock of type `delete` on the blob: it names the place from which the blob is removed. */
  readonly token: Token;
  /** Called before each step that others would notice; throws when the lock is lost. Default: does nothing. */
  readonly check?: () => void;
}

/** How a deletion ended. `referenced`: somebody needs the blob, and it is in its place. */
export type Deletion =
  | { readonly kind: 'deleted'; readonly bytes: number }
  | { readonly kind: 'referenced' | 'absent' };

/** Content by digest. What `has` affirms is complete and was verified when it was published. */
export interface BlobStore {
  readonly storeId: StoreId;
  /** Absolute path, for people and results. */
  readonly path: string;
  /** Whether the blob is there with its declared size. */
  has(descriptor: Descriptor): Promise<boolean>;
  /** @throws LayerpullError `blob_not_found` */
  open(digest: Digest, range?: ByteRange): Promise<AsyncIterable<Uint8Array>>;
  /** `fresh`: start at zero, whatever earlier writers left. @throws LayerpullError `store_full`, `store_failed` */
  ingest(descriptor: Descriptor, writer: Writer, options?: IngestOptions): Promise<Ingest>;
  /**
   * Removes a blob unless somebody needs it: looks for references, moves it to `trash/<token>-<hex>`, looks for
   * references again, and puts it back if there is one, else removes it. Safe beside pulls that reference what they
   * need before they look for it; the lock only keeps deleters from doing one thing twice.
   *
   * @throws LayerpullError `store_*`; what `check` throws, with the blob in its place
   */
  delete(digest: Digest, options: DeletionOptions): Promise<Deletion>;
  list(): AsyncIterable<{ readonly digest: Digest; readonly size: number }>;
}
