import { type Client, createClient } from './http.ts';
import { forEach, range } from './many.ts';

/** A node with an open session. */
export interface Node {
  readonly nodeId: string;
  readonly sessionId: string;
  /** Told with every heartbeat, with more bytes each time. */
  held: { readonly resource_id: string; readonly type: string; readonly token: number } | undefined;
}

export interface Nodes {
  readonly all: readonly Node[];
  /** For requests that count; heartbeats go over others. */
  readonly client: Client;
  /** Has the heartbeats of one more node sent; it is not among `all`. */
  add(node: Node): void;
  close(): void;
}

const heartbeatMs = 5_000;
const sliceMs = 50;

/** Opens `count` sessions and keeps them alive, each with a heartbeat every five seconds, spread evenly. */
export async function openNodes(url: string, count: number, name: string): Promise<Nodes> {
  const client = createClient(url, 16);
  const beats = createClient(url, 16);
  const alive: Node[] = [];
  const stop = startHeartbeats(beats, alive);
  await forEach(range(count), 16, async (index) => {
    alive.push(await openNode(client, `${name}-${index}`));
  });
  return {
    all: [...alive],
    client,
    add: (node) => void alive.push(node),
    close() {
      stop();
      beats.close();
      client.close();
    },
  };
}

export async function openNode(client: Client, nodeId: string): Promise<Node> {
  const { session_id } = await client.call('POST', '/sessions', { node_id: nodeId });
  return { nodeId, sessionId: String(session_id), held: undefined };
}

/** The fields that every request of a node about a resource has. */
export function about({ nodeId, sessionId }: Node, type: string, resourceId: string) {
  return { type, resource_id: resourceId, node_id: nodeId, session_id: sessionId };
}

/**
 * Those who join `nodes` later are heard too. A heartbeat that gets lost is not sent again: the next one follows.
 * Ends with the function it returns.
 */
export function startHeartbeats(client: Client, nodes: readonly Node[]): () => void {
  let turn = 0;
  let due = 0;
  let offset = 0;
  const beat = ({ sessionId, held }: Node) => {
    offset += 1;
    const body = { held: held ? [{ ...held, offset, total: 1e9 }] : [] };
    client.ask('PUT', `/sessions/${sessionId}`, body).catch(() => {});
  };
  const timer = setInterval(() => {
    due += (nodes.length * sliceMs) / heartbeatMs;
    for (; due >= 1; due -= 1) {
      const node = nodes[turn % nodes.length];
      turn += 1;
      if (node) beat(node);
    }
  }, sliceMs);
  return () => clearInterval(timer);
}
