import type { NodeId, SessionId, StoreId } from '../core/ids.ts';

/** `draining`: it finishes what it does and takes nothing new. `offline`: its session ended. */
export type NodeState = 'online' | 'draining' | 'offline';

/** One session as a node: what it said of itself, and when it was last heard of. */
export interface NodeView {
  readonly nodeId: NodeId;
  readonly sessionId: SessionId;
  readonly state: NodeState;
  /** Milliseconds before the answer. */
  readonly lastSeenMs: number;
  /** Where it serves layers, when it does. */
  readonly url?: string;
  readonly storeId?: StoreId;
  readonly zone?: string;
}
