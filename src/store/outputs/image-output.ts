import type { Descriptor } from '../../core/descriptor.ts';
import type { BlobStore } from '../blob-store.ts';

export const outputKinds = ['oci', 'oci-archive', 'docker-archive'] as const;
export type OutputKind = (typeof outputKinds)[number];

/** An image that is whole in a store, as it came from the registry. */
export interface OutputImage {
  /** The manifest of the platform. */
  readonly manifest: Descriptor;
  /** Present: the output holds this index with all its manifests in place of the one manifest. */
  readonly index?: Descriptor;
}

/** Writes an image out of a store in a form that other tools read. */
export interface ImageOutput {
  /**
   * Whether it can be written there, before anybody waits for a download. Changes nothing.
   *
   * @throws LayerpullError `output_failed`
   */
  check(): Promise<void>;
  /**
   * Writes the image whole or not at all; answers the bytes written. What was there before stays until then.
   *
   * @throws LayerpullError `output_failed`, `output_closed`, `blob_not_found`, `digest_mismatch`, `size_mismatch`,
   *   `invalid_manifest`, `store_*`; `signal.reason` when aborted
   */
  write(image: OutputImage, blobs: BlobStore, signal: AbortSignal): Promise<number>;
}
