import type { Platform } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import type { Token } from '../core/ids.ts';

/** A blob's file as it lies in the store, right or wrong. */
export interface BlobFile {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/** An image record, and every blob that it needs. */
export interface CheckedImage {
  readonly name: string;
  readonly platform: Platform;
  readonly manifest: Digest;
  readonly needs: readonly Digest[];
  /** False: its manifest is not there or no manifest, so that nobody knows its layers. */
  readonly isReadable: boolean;
}

export interface DamagedFile {
  /** Absolute. */
  readonly file: string;
  readonly reason: string;
}

/** Looks at what a store promises. Changes nothing. */
export interface StoreChecker {
  /** Absolute path of the store, links resolved. */
  readonly path: string;
  blobs(): Promise<readonly BlobFile[]>;
  /**
   * The digest of a blob's bytes as they are, undefined when it is not there. `onBytes` hears of each piece.
   * @throws LayerpullError `store_*`; `signal.reason`
   */
  hash(digest: Digest, signal: AbortSignal, onBytes?: (bytes: number) => void): Promise<Digest | undefined>;
  has(digest: Digest): Promise<boolean>;
  images(): Promise<{ readonly images: readonly CheckedImage[]; readonly damaged: readonly DamagedFile[] }>;
  /** Whether `index.json` says what the images say. */
  isIndexRight(): Promise<boolean>;
}

/** Mends what a check found. */
export interface StoreRepair {
  /**
   * Removes a blob whose bytes are not those of its digest. It is moved out of the way and looked at once more there, so
   * that one which was published meanwhile goes back. Answers whether it was wrong. @throws LayerpullError `store_*`
   */
  discardWrong(digest: Digest, token: Token, signal: AbortSignal): Promise<boolean>;
  /** Moves a file that cannot be read as an image record into the trash. */
  setAside(file: string): Promise<void>;
  /** Derives `index.json` from the images. */
  deriveIndex(): Promise<void>;
}
