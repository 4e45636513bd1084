import type { Descriptor, Platform } from '../core/descriptor.ts';

/** One image in the store: a name and a platform, and the manifest they stand for. */
export interface ImageRecord {
  /** The full normalised reference, such as `docker.io/library/busybox:latest`. */
  readonly name: string;
  readonly platform: Platform;
  /** The platform's manifest. */
  readonly manifest: Descriptor;
  /** The index that the reference resolved to, when it was one. */
  readonly index?: Descriptor;
}

/** A record as it lies in the store. */
export interface RecordedImage extends ImageRecord {
  /** Milliseconds since the Unix epoch. */
  readonly recordedAtMs: number;
}

/** The images of a store. Each record is one file, written by rename; `index.json` is derived from all of them. */
export interface ImageStore {
  /** Keeps the record, replacing the one of the same name and platform, and renews `index.json`. */
  record(image: ImageRecord): Promise<void>;
  /**
   * Forgets these records, unless something else was recorded in their place meanwhile, and renews `index.json`, also
   * when there is none to forget. Their blobs stay: whoever removes an image deletes what nobody references then.
   * Answers those that it forgot.
   */
  remove(images: readonly ImageRecord[]): Promise<readonly ImageRecord[]>;
  list(): Promise<readonly ImageRecord[]>;
}
