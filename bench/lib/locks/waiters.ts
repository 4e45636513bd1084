import { formatMib, formatMs, percentile } from '../numbers.ts';
import { onCluster } from './cluster.ts';
import { type ClusterCrowd, measureClusterCrowd } from './cluster-crowd.ts';
import { type Crowd, measureCrowd } from './crowd.ts';
import { type EtcdWaiters, etcdWaiters } from './etcd-waiters.ts';
import { atMost, below, type Figure } from './figures.ts';
import { allowedStreams } from './open-files.ts';
import type { LocksOptions } from './options.ts';

const mib = 1_024 ** 2;
/** Long enough for a heartbeat of each. */
const heartbeatsMs = 6_000;

/** Many waiters, each on a stream of its own, of one server. */
export async function benchWaiters(options: LocksOptions): Promise<Figure[]> {
  const { waiters = 5_000, seconds, profileDir } = options;
  const count = allowedStreams(waiters);
  const settleMs = Math.max(seconds * 1_000, heartbeatsMs);
  const ours = await measureCrowd(count, { settleMs, profileDir });
  const cluster = await onCluster(options, (opened) => measureClusterCrowd(opened, count, settleMs));
  const etcd = await etcdWaiters(count);
  return figuresOf(count, ours, cluster, etcd);
}

function figuresOf(
  count: number,
  ours: Crowd,
  cluster: ClusterCrowd | undefined,
  etcd: EtcdWaiters | undefined,
): Figure[] {
  const fanOut = (percent: number) => ({
    value: percentile(ours.completionsMs, percent),
    overEtcd: cluster && percentile(cluster.completionsMs, percent),
    format: formatMs,
    peer: { name: 'etcd', value: etcd && percentile(etcd.completionsMs, percent) },
  });
  const onEtcd = etcd ? `; etcd has them on ${etcd.connections} connections` : '';
  return [
    {
      ...{ name: `memory of a server with ${count} waiters`, value: ours.residentBytes, format: formatMib },
      overEtcd: cluster && Math.max(...cluster.residentBytes),
      aim: atMost(200 * mib, '200 MiB'),
      peer: { name: 'etcd', value: etcd?.residentBytes },
      note: `${formatMib(ours.emptyBytes)} before they came, at most ${formatMib(ours.peakBytes)}; while they wait ${ours.cpu}${memoryOf(cluster)}${onEtcd}`,
    },
    { ...fanOut(50), name: `a completion reaches ${count}, p50` },
    { ...fanOut(99), name: `a completion reaches ${count}, p99`, aim: below(500, '500 ms') },
    {
      ...{ name: `the same with a server just started, p99`, format: formatMs },
      value: percentile(ours.freshCompletionsMs, 99),
    },
    {
      ...{ name: 'places lost in a restart', value: ours.placesLost, format: String },
      aim: atMost(0, '0'),
    },
    {
      ...{ name: 'all are back after SIGKILL', value: ours.backMs, format: formatMs },
      peer: { name: 'first opening', value: ours.openingMs },
      note: `the new server listened after ${formatMs(ours.listeningMs)}${openingOf(cluster)}`,
    },
  ];
}

function memoryOf(cluster: ClusterCrowd | undefined): string {
  if (!cluster) return '';
  const list = (sizes: readonly number[]) => sizes.map(formatMib).join(', ');
  const { residentBytes, peakBytes, etcdBytes } = cluster;
  return `; over etcd ${list(residentBytes)}, at most ${list(peakBytes)}, and each member of etcd ${list(etcdBytes)}`;
}

function openingOf(cluster: ClusterCrowd | undefined): string {
  return cluster ? `; over etcd the first opening took ${formatMs(cluster.openingMs)}` : '';
}
