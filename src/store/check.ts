import type { Platform } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import type { Token } from '../core/ids.ts';

/** A blob's file as it lies in the store, right or wrong. */
export interface BlobFile {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/** `gone`: it is not there. `no-file`: a folder, a device, a link to nothing. `reason`: what the system says. */
export type BlobReading =
  | { readonly kind: 'read'; readonly digest: Digest }
  | { readonly kind: 'gone' | 'no-file' }
  | { readonly kind: 'unreadable'; readonly reason: string };

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
  /** What stands under a digest. `onBytes` hears of each piece. @throws `signal.reason` */
  read(digest: Digest, signal: AbortSignal, onBytes?: (bytes: number) => void): Promise<BlobReading>;
  /** The files that make a folder a store, where they are missing or damaged. @throws LayerpullError `store_unusable` */
  layout(): Promise<readonly DamagedFile[]>;
  has(digest: Digest): Promise<boolean>;
  images(): Promise<{ readonly images: readonly CheckedImage[]; readonly damaged: readonly DamagedFile[] }>;
  /** Whether `index.json` says what the images say, once those who record images just now are done. */
  isIndexRight(signal: AbortSignal): Promise<boolean>;
}

/** Mends what a check found. */
export interface StoreRepair {
  /**
   * Removes a blob whose bytes are not those of its digest. It is moved out of the way and looked at once more there, so
   * that one which was published meanwhile goes back. Answers whether it was wrong. @throws LayerpullError `store_*`
   */
  discardWrong(digest: Digest, token: Token, signal: AbortSignal): Promise<boolean>;
  /** Writes `oci-layout` or `layerpull.json` anew. The store then has a new name. */
  rewriteLayout(file: string): Promise<void>;
  /** Moves a file that cannot be read as an image record into the trash. */
  setAside(file: string): Promise<void>;
  /** Derives `index.json` from the images. */
  deriveIndex(): Promise<void>;
}
