import type { Descriptor, Platform } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import type { NodeId } from '../core/ids.ts';

/** Where a layer's bytes came from. */
export interface LayerSource {
  readonly kind: 'registry' | 'peer' | 'store';
  readonly url?: string;
  readonly node?: NodeId;
}

/** One of several servers that gave the bytes of a layer. */
export interface ByteSource extends LayerSource {
  readonly url: string;
  readonly bytes: number;
}

/**
 * `present`: was in the store before; `skipped`: another node of this store finished it meanwhile; `copied`: read from
 * peers, and the registry gave no byte of it; `downloaded`: the registry gave all of it, or a part.
 */
export type OutcomeKind = 'downloaded' | 'copied' | 'skipped' | 'present';

/** What a pull tells while it runs. `docs/events.md` is the public form. */
export type PullEvent =
  | {
      readonly kind: 'resolved';
      readonly reference: string;
      readonly digest: Digest;
      readonly manifestDigest: Digest;
      readonly platform: Platform;
      /** As in the result. */
      readonly platforms: readonly PlatformResult[];
      /** Config first, then layers; each digest once. */
      readonly layers: readonly Descriptor[];
    }
  | { readonly kind: 'waiting'; readonly digest: Digest; readonly holder?: NodeId; readonly position: number }
  /** `offset`: bytes that were there already and are not transferred again. */
  | {
      readonly kind: 'downloading';
      readonly digest: Digest;
      readonly offset: number;
      readonly size: number;
      readonly source: LayerSource;
    }
  /** At most ten a second per layer. */
  | { readonly kind: 'progress'; readonly digest: Digest; readonly offset: number; readonly size: number }
  | { readonly kind: 'retrying'; readonly digest: Digest; readonly message: string }
  /** The bytes from `offset` on come from another server. `message`: why the one before it was left. */
  | {
      readonly kind: 'switched';
      readonly digest: Digest;
      readonly offset: number;
      readonly size: number;
      readonly source: LayerSource;
      readonly message?: string;
    }
  | {
      readonly kind: 'finished';
      readonly digest: Digest;
      readonly size: number;
      readonly outcome: OutcomeKind;
      readonly source: LayerSource;
      /** As in the result of the layer. */
      readonly sources?: readonly ByteSource[];
      /** Bytes this process transferred. */
      readonly bytes: number;
      /** Those of them that came from peers, if any did. */
      readonly bytesFromPeers?: number;
      readonly durationMs: number;
    }
  | { readonly kind: 'failed'; readonly digest: Digest; readonly code: string; readonly message: string }
  | {
      readonly kind: 'warning';
      readonly code: string;
      readonly message: string;
      readonly hint?: string | undefined;
    }
  /** The image is being written to `--output`: `offset` of its `size` bytes are read. At most twice a second. */
  | { readonly kind: 'exporting'; readonly path: string; readonly offset: number; readonly size: number }
  | { readonly kind: 'done'; readonly result: PullResult };

export interface LayerResult {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly mediaType: string;
  readonly outcome: OutcomeKind;
  /** Where it came from; of several servers the one that made it whole. */
  readonly source: LayerSource;
  /** Where the bytes came from in turn, if it was more than one server. */
  readonly sources?: readonly ByteSource[];
  /** Bytes this process transferred. */
  readonly bytes: number;
  /** Those of them that came from peers, if any did. */
  readonly bytesFromPeers?: number;
  readonly durationMs: number;
}

/** What was written to `--output`. */
export interface OutputResult {
  readonly kind: 'oci' | 'oci-archive' | 'docker-archive';
  /** Absolute, or `-` for stdout. */
  readonly path: string;
  /** Bytes of an archive; in a folder, of what was not there yet. */
  readonly bytes: number;
}

/** One platform of what was pulled. */
export interface PlatformResult {
  /** `os/arch[/variant]` */
  readonly platform: string;
  readonly manifestDigest: Digest;
}

/** The document of `pull --json`. Layers include the config, first, each digest once. */
export interface PullResult {
  /** The full normalised reference. */
  readonly reference: string;
  /** What the reference resolved to: the index's digest where there is one. */
  readonly digest: Digest;
  /** The platform's manifest. */
  readonly manifestDigest: Digest;
  /** `os/arch[/variant]` */
  readonly platform: string;
  /** Every platform that was pulled, the one of `platform` first: one, unless all were asked for. */
  readonly platforms: readonly PlatformResult[];
  readonly node: NodeId;
  /** Absolute path of the store. */
  readonly store: string;
  readonly layers: readonly LayerResult[];
  readonly bytesFromRegistry: number;
  readonly bytesFromPeers: number;
  /** Bytes of the image that this process did not have to transfer. */
  readonly bytesSaved: number;
  /** Bytes that the registry would have had to send, were there no others: copied from peers, or brought by another process. */
  readonly bytesSpared: number;
  readonly durationMs: number;
  /** With `--output`. */
  readonly output?: OutputResult;
}
