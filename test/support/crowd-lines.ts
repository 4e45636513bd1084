import type { Digest } from '../../src/core/digest.ts';

/** What the test program `stream-crowd` is started with. */
export interface CrowdOptions {
  readonly server: string;
  readonly count: number;
  readonly resource: Digest;
  /** Milliseconds between two heartbeats of a session. */
  readonly heartbeatMs: number;
}

/** A line on its stdout. */
export type CrowdLine =
  /** Everyone's stream began once more: for the `round`th time. `places` are as it told them, 0 is the holder's. */
  | { readonly kind: 'up'; readonly round: number; readonly places: readonly number[] }
  /** As many were told that the layer is done. */
  | { readonly kind: 'completed'; readonly count: number }
  /** One was told something it must not hear. */
  | { readonly kind: 'wrong'; readonly node: string; readonly what: string };
