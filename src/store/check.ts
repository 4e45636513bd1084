import type { Platform } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import type { Token } from '../core/ids.ts';

/** A blob's file as it lies in the store, right or wrong. */
export interface BlobFile {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/** `size` in bytes. `gone`: it is not there. `no-file`: a folder, a device, a link to nothing. `reason`: what the system says. */
export type BlobReading =
  | { readonly kind: 'read'; readonly digest: Digest; readonly size: number }
  | { readonly kind: 'gone' | 'no-file' }
  | { readonly kind: 'unreadable'; readonly reason: string };

/**
 * `required`: without it the image is not whole. `foreign`: a layer that registries need not have. `attached`: part of
 * something that the index lists beside images, such as an attestation; `listed`: that itself, which need not be there.
 */
export interface NeededBlob {
  readonly digest: Digest;
  /** Bytes that it should have, where that is known. */
  readonly size?: number;
  readonly role: 'required' | 'foreign' | 'attached' | 'listed';
}

/** An image record, and every blob that it needs. */
export interface CheckedImage {
  readonly name: string;
  readonly platform: Platform;
  readonly manifest: Digest;
  readonly needs: readonly NeededBlob[];
  /** False: its manifest is not there, wrong or none, so that nobody knows its layers. */
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
  /** Waits for a deleter that has moved it out of the way and may put it back. */
  has(digest: Digest, signal: AbortSignal): Promise<boolean>;
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
  /**
   * Writes a file of the layout anew; without `layerpull.json` the store has a new name then. Answers false when the
   * system does not let the file be read: it may be right.
   */
  rewriteLayout(file: string): Promise<boolean>;
  /**
   * Moves a file that is no image record into the trash. Answers false when it is one by now, or when the system does
   * not let it be read: it may be right.
   */
  setAside(file: string): Promise<boolean>;
  /** Ends deletions that were broken off: what is needed goes back. */
  settle(): Promise<void>;
  /** Derives `index.json` from the images. */
  deriveIndex(): Promise<void>;
}
