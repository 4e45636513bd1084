import type { NodeView } from '../lock/nodes.ts';
import { renderTable } from './table.ts';
import { formatDuration, oneLine } from './text.ts';

/** The text of `nodes`. `nodes` is undefined when nobody coordinates the store. */
export async function renderNodes(nodes: readonly NodeView[] | undefined, store: string): Promise<string> {
  if (!nodes) return `nobody coordinates the store ${oneLine(store)}: no pull is running on it`;
  if (nodes.length === 0) return 'no node is known';
  return await renderTable(['NODE', 'STATE', 'LAST SEEN', 'ZONE', 'STORE', 'URL'], nodes.map(row));
}

function row({ nodeId, state, lastSeenMs, zone, storeId, url }: NodeView): string[] {
  const named = [zone, storeId, url].map((text) => (text === undefined ? '-' : oneLine(text)));
  return [oneLine(nodeId), state, `${formatDuration(lastSeenMs)} ago`, ...named];
}

/** The document of `nodes --json`: `docs/json.md`. */
export function nodesDocument(nodes: readonly NodeView[] | undefined, wallMs: number): object {
  return { coordinated: nodes !== undefined, nodes: (nodes ?? []).map((node) => documentOf(node, wallMs)) };
}

function documentOf({ nodeId, sessionId, state, lastSeenMs, url, storeId, zone }: NodeView, wallMs: number) {
  const lastSeen = new Date(wallMs - lastSeenMs).toISOString();
  return {
    ...{ nodeId, sessionId, state, lastSeen },
    ...{ url: url ?? null, storeId: storeId ?? null, zone: zone ?? null },
  };
}
