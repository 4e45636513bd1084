import type { Digest } from '../core/digest.ts';

/** What a program with a catalog of its own, such as one containerd, knows of a blob that it needs. */
export interface ShelfEntry {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since the Unix epoch. */
  readonly createdAtMs: number;
  /** Milliseconds since the Unix epoch. */
  readonly updatedAtMs: number;
  readonly labels: Readonly<Record<string, string>>;
}

/** A blob whose file stays open. What is open can be read to its end, whoever removes it meanwhile. */
export interface OpenBlob {
  /** Bytes. */
  readonly size: number;
  /** Fewer than `bytes` only at the end. @throws LayerpullError `store_failed` */
  read(position: number, bytes: number): Promise<Buffer>;
  /** Idempotent. */
  close(): Promise<void>;
}

/**
 * One program's part of a store. An entry is a reference: while there is one, nobody removes its blob. Whoever wants a
 * blob that is there writes the entry first and looks for the blob then, so that no deletion comes in between.
 */
export interface Shelf {
  /** Whose it is; the name in references. */
  readonly name: string;
  /** By which its store is known. */
  readonly storeId: string;
  /** Absolute path of a folder for the program's own files, on the file system of the blobs. */
  readonly folder: string;
  /** In no order. What cannot be read is left out with a warning. @throws LayerpullError `store_*` */
  entries(): Promise<readonly ShelfEntry[]>;
  /** Writes and syncs an entry, in place of the one of that digest. @throws LayerpullError `store_*` */
  put(entry: ShelfEntry): Promise<void>;
  /** Also where there is none. @throws LayerpullError `store_*` */
  remove(digest: Digest): Promise<void>;
  /** Size of a blob of the store, in bytes, whoever brought it. Undefined where there is none. */
  sizeOf(digest: Digest): Promise<number | undefined>;
  /** @throws LayerpullError `blob_not_found`, `store_failed` */
  open(digest: Digest): Promise<OpenBlob>;
  /**
   * Publishes a file of `folder` as a blob, by rename. The caller has synced it and computed the digest of its bytes.
   * @throws LayerpullError `store_*`
   */
  adopt(file: string, digest: Digest): Promise<void>;
  /** Lets another process take the shelf. Idempotent. */
  close(): Promise<void>;
}
