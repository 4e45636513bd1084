import type { NodeId, SessionId } from '../core/ids.ts';

/** What a lock is asked for. All types of one resource share one queue. */
export type OperationType = 'pull' | 'update' | 'delete';

/**
 * Whom a failure concerns. `node`: disk, cancelled, access, network: the next in the queue tries.
 * `content`: the blob is unknown to the registry or its bytes are wrong: every waiter gets the error.
 */
export type FailureClass = 'node' | 'content';

export interface HolderView {
  readonly nodeId: NodeId;
  readonly sessionId?: SessionId;
}
