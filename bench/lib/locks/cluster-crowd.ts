import type { Cluster } from './cluster.ts';
import { forEach, shares, sleep } from './many.ts';
import { openNodes } from './nodes.ts';
import { peakBytes, residentBytes } from './process-usage.ts';
import { Waiter } from './waiter.ts';
import { addHolder, WaitingCrowd } from './waiting-crowd.ts';

export interface ClusterCrowd {
  /** Of each server, with all of them waiting, and the most that it ever had. */
  readonly residentBytes: readonly number[];
  readonly peakBytes: readonly number[];
  /** Of each member of etcd. */
  readonly etcdBytes: readonly number[];
  /** For each waiter, from the unlock to its event. */
  readonly completionsMs: readonly number[];
  /** Until all streams were open and all had a place. */
  readonly openingMs: number;
}

const rounds = 3;

/** Has `count` nodes wait on streams, spread over the servers of a cluster, and completes what they wait for. */
export async function measureClusterCrowd(
  { servers, etcd }: Cluster,
  count: number,
  settleMs: number,
): Promise<ClusterCrowd> {
  const startedAt = performance.now();
  const places = await Promise.all(
    shares(count, servers.length).map(async (share, index) => {
      const url = servers[index]?.url ?? '';
      return { url, nodes: await openNodes(url, share, `waiter-${index}`) };
    }),
  );
  const waiters = places.flatMap(({ url, nodes }) => nodes.all.map((node) => new Waiter(url, nodes, node)));
  const [first] = places;
  if (!first) throw new Error('a cluster without servers');
  const crowd = new WaitingCrowd(first.nodes, waiters, await addHolder(first.nodes));
  await forEach(waiters, 64, (waiter) => waiter.listen());
  await crowd.waitFor(0);
  const openingMs = performance.now() - startedAt;
  await sleep(settleMs);
  const bytes = servers.map(({ child }) => residentBytes(child.pid));
  const etcdBytes = etcd.members.map(({ child }) => residentBytes(child.pid));
  const completionsMs: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    completionsMs.push(...(await crowd.complete(round)));
    if (round + 1 < rounds) await crowd.waitFor(round + 1);
  }
  crowd.close();
  for (const { nodes } of places) nodes.close();
  const peaks = servers.map(({ child }) => peakBytes(child.pid));
  return { residentBytes: bytes, peakBytes: peaks, etcdBytes, completionsMs, openingMs };
}
