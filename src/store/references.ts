import type { Digest } from '../core/digest.ts';
import type { NodeId } from '../core/ids.ts';
import type { ImageRecord } from './image-store.ts';

/** Why a blob must stay. */
export type Reference =
  /** A recorded image. */
  | { readonly kind: 'image'; readonly name: string; readonly platform: string }
  /** A pull that runs now, on this node. */
  | { readonly kind: 'pull'; readonly name: string; readonly node?: NodeId }
  /** An entry that another tool wrote into `index.json`. */
  | { readonly kind: 'index'; readonly name: string }
  /** The catalog of a containerd, by the name of its shelf. */
  | { readonly kind: 'containerd'; readonly name: string };

/** All references of a store at one moment. How often a blob is referenced is the number of its references. */
export interface ReferenceBook {
  /** Empty for a blob that nobody needs. */
  of(digest: Digest): readonly Reference[];
  /** What cannot be read: nobody can tell which blobs it needs, so none is removed while there is any. */
  readonly unreadable: readonly Unreadable[];
}

export interface Unreadable {
  /** What is missing or damaged, and what to do about it. */
  readonly message: string;
  readonly hint: string;
  /** The image that it belongs to, where that is known. */
  readonly image?: ImageRecord;
}

/** Who needs which blobs until the claim is released. */
export interface ClaimRequest {
  /** The image that is pulled. */
  readonly name: string;
  /** Absent where the store itself needs them for a moment. */
  readonly node?: NodeId;
  readonly digests: readonly Digest[];
}

/** A reference that a pull wrote. It ends with the process, however that ends. */
export interface Claim {
  /** Idempotent, never throws. */
  release(): Promise<void>;
}

/** Every blob that an image consists of. */
export interface ImageBlobs {
  /** Absent when the manifest cannot be read. */
  readonly config?: Digest;
  /** Manifest, index, config and layers, as far as they are known; each once. */
  readonly all: readonly Digest[];
}

/**
 * Which blobs are needed. References are files, and what counts is derived from them whenever it is asked for: the
 * recorded images, the entries of other tools in `index.json`, what running pulls claim, and the catalogs of containerds.
 */
export interface References {
  /**
   * Writes and syncs a reference. A puller claims all that it will need before it looks whether it is there.
   * @throws LayerpullError `store_*`
   */
  claim(request: ClaimRequest): Promise<Claim>;
  /** @throws LayerpullError `store_*` */
  read(): Promise<ReferenceBook>;
  blobsOf(image: ImageRecord): Promise<ImageBlobs>;
  /** Whether of the pulls that run now one of this process needs the blob, and no other. @throws LayerpullError `store_*` */
  isOursAlone(digest: Digest): Promise<boolean>;
}
