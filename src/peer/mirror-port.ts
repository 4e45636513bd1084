import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import type { ImageReference } from '../registry/reference.ts';
import type { BlobSource } from '../source/blob-source.ts';
import type { ByteRange } from '../store/blob-store.ts';

/** Who asks a mirror. */
export interface Caller {
  /** `Authorization` as it was sent, for the registry; absent for an anonymous one. */
  readonly authorization?: string;
}

/** A manifest or an index, verified. */
export interface MirrorDocument {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

/** A blob that a caller may have. */
export interface MirrorBlob {
  readonly descriptor: Descriptor;
  /** Begins to bring the blob where it is missing. Its bytes come as they come. Ends with the loop or with `signal`. */
  read(range: ByteRange, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** What a mirror serves, each time to somebody. */
export interface MirrorContent {
  /**
   * What a reference means, once the registry has affirmed that the caller may have it. Where the registry cannot be
   * reached: what is recorded, for those who may have that.
   *
   * @throws LayerpullError `image_not_found`, `access_denied`, `registry_unreachable` …
   */
  resolve(reference: ImageReference, caller: Caller, signal: AbortSignal): Promise<MirrorDocument>;
  /**
   * A blob of the repository, if a manifest lists it that was resolved there by this access.
   *
   * @throws LayerpullError `blob_not_found`, `access_denied`, `registry_unreachable` …
   */
  blob(
    reference: ImageReference & { digest: Digest },
    caller: Caller,
    signal: AbortSignal,
  ): Promise<MirrorBlob>;
  /** For others of the fleet: what the reference meant when everyone could read it. No registry is asked. */
  recorded(reference: ImageReference): Promise<Allowed | undefined>;
}

/** A manifest that may be had, before its bytes are there. */
export interface Allowed {
  readonly digest: Digest;
  /** Bytes; absent where only the registry could say. */
  readonly size?: number;
  readonly mediaType?: string;
}

/**
 * What others of the fleet have recorded as readable by everyone: asked while a registry is out of reach, about what is
 * not recorded here. Undefined: nobody has. Never throws but `signal.reason`.
 */
export type AskOthers = (reference: ImageReference, signal: AbortSignal) => Promise<Allowed | undefined>;

/** The store behind a mirror, and the way into it. */
export interface MirrorStore {
  /** The bytes of a manifest or an index, verified; undefined where they are not there. Never throws. */
  document(digest: Digest): Promise<Uint8Array | undefined>;
  /** Keeps a manifest or an index. @throws LayerpullError `store_*` */
  keep(descriptor: Descriptor, bytes: Uint8Array): Promise<void>;
  /**
   * Brings a whole blob into the store, verified.
   *
   * @param name the image that it belongs to, for those who ask what the store needs
   * @throws LayerpullError of the download, the store or the locks; `signal.reason`
   */
  bring(name: string, descriptor: Descriptor, source: BlobSource, signal: AbortSignal): Promise<void>;
  /**
   * A blob's bytes from the store, and those that are missing as they come into it from `source`. They are verified
   * once the last one is there, not before. Arguments and errors as of `bring`.
   */
  read(
    name: string,
    descriptor: Descriptor,
    source: BlobSource,
    range: ByteRange,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>;
}

/** Whom a registry let in, when: what one may go by while it cannot be asked. */
export interface AccessProof {
  /** `anonymous`, `agent`, or a keyed hash of what was shown. */
  readonly caller: string;
  readonly digest: Digest;
  /** Present where the tag meant the digest then. */
  readonly tag?: string;
  /** Milliseconds since the Unix epoch. */
  readonly provedAtMs: number;
}

/** Keeps proofs over restarts. */
export interface ProofFiles {
  /** A key that no one else knows, for the hashes. */
  key(): Promise<Uint8Array>;
  /** Empty for a repository that is not known, and where what is kept cannot be read. */
  read(repository: string): Promise<readonly AccessProof[]>;
  /** @throws LayerpullError `store_*` */
  write(repository: string, proofs: readonly AccessProof[]): Promise<void>;
}
