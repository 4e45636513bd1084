import type { Descriptor, Platform } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import type { BlobSource } from '../source/blob-source.ts';
import type { ImageReference } from './reference.ts';

/** A manifest or index as the registry sent it; the digest is computed from the bytes. */
export interface Document {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

/** Manifests and indexes that are at hand already. */
export interface StoredDocuments {
  /** The bytes of this digest, verified; undefined where they are not there, not whole or too many. Never throws. */
  read(digest: Digest): Promise<Uint8Array | undefined>;
}

/** The way to documents that others may have read from the registry already. */
export interface SharedDocuments {
  /**
   * The verified bytes of a document that the registry names: from another node, or from `registry`. Undefined where they
   * have to be read from the registry the usual way.
   *
   * @throws what `registry` throws; LayerpullError `lock_*`, `content_refused`, `store_*`; `signal.reason`
   */
  bring(descriptor: Descriptor, registry: BlobSource, signal: AbortSignal): Promise<Uint8Array | undefined>;
}

/** What a reference is resolved to. */
export interface ResolveOptions {
  readonly platform: Platform;
  /** Every manifest of an index. `platform` then only says which one stands first. Default false. */
  readonly allPlatforms?: boolean;
  /**
   * Documents that need not be read again: the registry is then asked by HEAD which one it means. Default: none, and no
   * HEAD, which could save nothing.
   */
  readonly stored?: StoredDocuments;
  /**
   * How documents that are not at hand are taken once for many nodes. The registry is then always asked by HEAD first,
   * which names the document, and shows that this node may read it and that the tag still means it. Default: each node
   * reads them itself.
   */
  readonly shared?: SharedDocuments;
}

/** A manifest and what it lists. */
export interface ManifestParts {
  readonly manifest: Document;
  readonly config: Descriptor;
  /** In the order of the manifest; one digest may stand there more than once. */
  readonly layers: readonly Descriptor[];
}

export interface PlatformImage extends ManifestParts {
  readonly platform: Platform;
}

/** What a reference stands for. Its own manifest, config and layers are those of the platform asked for. */
export interface ResolvedImage extends PlatformImage {
  readonly reference: ImageReference;
  /** Present when the reference resolved to an OCI index or a Docker manifest list. */
  readonly index?: Document;
  /** One for each platform, the one asked for first. Only that one, unless all were asked for. */
  readonly platforms: readonly PlatformImage[];
  /** The manifests of `platforms`, then what else the index lists, such as attestations: all that is to be brought. */
  readonly manifests: readonly ManifestParts[];
  /** Manifests and indexes to keep, each once, and each after those that it lists. */
  readonly documents: readonly Document[];
  /** The bytes of blobs that stood in the manifests themselves (`data` of a descriptor), verified. */
  readonly embedded: ReadonlyMap<Digest, Uint8Array>;
  /** What an index lists that is neither a manifest nor an index, and is therefore left out. */
  readonly leftOut: readonly Descriptor[];
}

/** Where images come from. */
export interface ImageRegistry {
  /**
   * @throws LayerpullError `image_not_found`, `platform_not_found`, `access_denied`, `registry_unreachable`,
   *   `registry_failed`, `invalid_manifest`, `unsupported_manifest`, `digest_mismatch`, `size_mismatch`
   */
  resolve(reference: ImageReference, options: ResolveOptions, signal: AbortSignal): Promise<ResolvedImage>;
  /** The blobs of the reference's repository. */
  blobs(reference: ImageReference): BlobSource;
  close(): Promise<void>;
}
