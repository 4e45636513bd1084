import type { Descriptor, Platform } from '../core/descriptor.ts';
import type { BlobSource } from '../source/blob-source.ts';
import type { ImageReference } from './reference.ts';

/** A manifest or index as the registry sent it; the digest is computed from the bytes. */
export interface Document {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

/** What a reference stands for on one platform. */
export interface ResolvedImage {
  readonly reference: ImageReference;
  readonly platform: Platform;
  /** Present when the reference resolved to an OCI index or a Docker manifest list. */
  readonly index?: Document;
  readonly manifest: Document;
  readonly config: Descriptor;
  /** In the order of the manifest; one digest may stand there more than once. */
  readonly layers: readonly Descriptor[];
}

/** Where images come from. */
export interface ImageRegistry {
  /**
   * @throws LayerpullError `image_not_found`, `platform_not_found`, `access_denied`, `registry_unreachable`,
   *   `registry_failed`, `invalid_manifest`, `unsupported_manifest`, `digest_mismatch`
   */
  resolve(reference: ImageReference, platform: Platform, signal: AbortSignal): Promise<ResolvedImage>;
  /** The blobs of the reference's repository. */
  blobs(reference: ImageReference): BlobSource;
  close(): Promise<void>;
}
