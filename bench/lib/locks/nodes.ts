import { type Client, createClient } from './http.ts';
import { forEach, range } from './many.ts';

/** A node with an open session. */
export interface Node {
  readonly nodeId: string;
  readonly sessionId: string;
  /** Told with every heartbeat. */
  held: { readonly resource_id: string; readonly type: string; readonly token: number } | undefined;
}

export interface Nodes {
  readonly all: readonly Node[];
  /** For requests that count; heartbeats go over others. */
  readonly client: Client;
  /** Heartbeats that were not answered with 200 or not at all. */
  failedHeartbeats(): number;
  close(): void;
}

const heartbeatMs = 5_000;
const sliceMs = 50;

/** Opens `count` sessions and keeps them alive, each with a heartbeat every five seconds, spread evenly. */
export async function openNodes(url: string, count: number, name: string): Promise<Nodes> {
  const client = createClient(url, 16);
  const beats = createClient(url, 16);
  const all: Node[] = [];
  const heartbeats = startHeartbeats(beats, all);
  await forEach(range(count), 16, async (index) => {
    all.push(await openNode(client, `${name}-${index}`));
  });
  return {
    all,
    client,
    failedHeartbeats: heartbeats.failed,
    close() {
      heartbeats.stop();
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

/** Those who join `nodes` later are heard too. */
export function startHeartbeats(client: Client, nodes: readonly Node[]) {
  let turn = 0;
  let due = 0;
  let failed = 0;
  const beat = async ({ sessionId, held }: Node) => {
    const body = { held: held ? [{ ...held, offset: 0, total: 0 }] : [] };
    const reply = await client.ask('PUT', `/sessions/${sessionId}`, body).catch(() => undefined);
    if (reply?.status !== 200) failed += 1;
  };
  const timer = setInterval(() => {
    due += (nodes.length * sliceMs) / heartbeatMs;
    for (; due >= 1; due -= 1) {
      const node = nodes[turn % nodes.length];
      turn += 1;
      if (node) void beat(node);
    }
  }, sliceMs);
  return { failed: () => failed, stop: () => clearInterval(timer) };
}
