import * as v from 'valibot';
import type { NodeView } from '../nodes.ts';
import { milliseconds, nodeId, present, sessionId, storeId, url, zone } from './fields.ts';

/** Answer of `GET /nodes`. */
export function nodesToWire(nodes: readonly NodeView[]) {
  return { nodes: nodes.map(nodeToWire) };
}

function nodeToWire(node: NodeView) {
  return {
    node_id: node.nodeId,
    session_id: node.sessionId,
    state: node.state,
    last_seen_ms: Math.round(node.lastSeenMs),
    url: node.url ?? null,
    store_id: node.storeId ?? null,
    zone: node.zone ?? null,
  };
}

const node = v.pipe(
  v.object({
    node_id: nodeId,
    session_id: sessionId,
    state: v.picklist(['online', 'draining', 'offline']),
    last_seen_ms: milliseconds,
    url: v.nullish(url),
    store_id: v.nullish(storeId),
    zone: v.nullish(zone),
  }),
  v.transform(
    (wire): NodeView => ({
      nodeId: wire.node_id,
      sessionId: wire.session_id,
      state: wire.state,
      lastSeenMs: wire.last_seen_ms,
      ...present({ url: wire.url, storeId: wire.store_id, zone: wire.zone }),
    }),
  ),
);

export const nodesReplySchema = v.pipe(
  v.object({ nodes: v.array(node) }),
  v.transform((wire): readonly NodeView[] => wire.nodes),
);
