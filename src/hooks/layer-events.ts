import type { NodeId } from '../core/ids.ts';
import type { Source } from '../lock/locks.ts';
import type { Giver } from './layer-givers.ts';

/** What one layer's run tells while it goes on. */
export type LayerEvent =
  /** Somebody else holds the layer. Comes again whenever the place changes. */
  | { readonly kind: 'waiting'; readonly position: number; readonly holder?: NodeId }
  /** `offset`: bytes taken over from an earlier attempt. */
  | { readonly kind: 'started'; readonly offset: number; readonly source: Source }
  /** The bytes from `offset` on come from this source. `peer`: the node, if it is one; `reason`: why the one before was left. */
  | {
      readonly kind: 'source';
      readonly url: string;
      readonly offset: number;
      readonly peer?: NodeId;
      readonly reason?: string;
    }
  | { readonly kind: 'progress'; readonly offset: number }
  /** The lock went to somebody else; what was downloaded is kept and the layer waits again. */
  | { readonly kind: 'revoked'; readonly message: string };

/**
 * How a layer got into the store. `present`: it was there before; `skipped`: another node of this store finished it
 * meanwhile; `copied`: this run read it from peers, and the registry gave no byte of it; `downloaded`: this run fetched
 * it. `bytes` is what this run transferred.
 */
export interface LayerOutcome {
  readonly kind: 'downloaded' | 'copied' | 'skipped' | 'present';
  readonly bytes: number;
  readonly durationMs: number;
  /** Who gave the bytes of what was published, in turn. Empty where no byte came. */
  readonly givers: readonly Giver[];
  /** Those of `bytes` that came from peers. */
  readonly bytesFromPeers: number;
  /** Who finished a skipped layer, where that is known. */
  readonly by?: NodeId;
}
