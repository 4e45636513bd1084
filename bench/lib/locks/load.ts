import { type Client, createClient } from './http.ts';
import { digest, range, sleep } from './many.ts';
import { about, type Node, openNode, startHeartbeats } from './nodes.ts';

export interface LoadOptions {
  readonly url: string;
  readonly nodes: number;
  readonly nodesPerSecond: number;
  /** How many of the nodes lock and unlock without a pause. */
  readonly writers: number;
}

/** Registers nodes at an even pace and keeps them alive from then on; calls `onRegistered` once all are. */
export async function putLoadOn(options: LoadOptions, onRegistered: () => void): Promise<void> {
  const { url, nodes, nodesPerSecond, writers } = options;
  const client = createClient(url, 16);
  const open: Node[] = [];
  startHeartbeats(client, open);
  const startedAt = performance.now();
  await Promise.all(
    range(nodes).map(async (index) => {
      await sleep(startedAt + (index * 1_000) / nodesPerSecond - performance.now());
      open.push(await openNode(client, `load-${index}`));
    }),
  );
  onRegistered();
  await Promise.all(open.slice(0, writers).map((node, index) => write(createClient(url), node, index)));
}

async function write(client: Client, node: Node, index: number): Promise<never> {
  for (;;) {
    const body = about(node, 'update', digest(0xe00_000 + index));
    await client.call('POST', '/lock', body);
    await client.call('POST', '/unlock', { ...body, success: true, error: '' });
  }
}
