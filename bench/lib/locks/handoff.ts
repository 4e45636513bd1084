import { tempDir } from '../../../test/support/temp.ts';
import { formatShortMs, mean, percentile } from '../numbers.ts';
import { onCluster } from './cluster.ts';
import { etcdHandOffs } from './etcd-handoff.ts';
import { below, type Figure } from './figures.ts';
import { type HandOff, handOffs } from './handoff-rounds.ts';
import type { LocksOptions } from './options.ts';
import { meanPollingMs } from './polling.ts';
import { startServer } from './server.ts';

/** From an unlock to the event that tells the next of many waiters. */
export async function benchHandOff(options: LocksOptions): Promise<Figure[]> {
  const { waiters = 1_000, seconds, profileDir } = options;
  const server = await startServer({ dataDir: tempDir(), profileDir });
  const ours = await handOffs(server.url, waiters, seconds);
  const pollingMs = await meanPollingMs(server.url);
  await server.stop();
  const cluster = await onCluster(options, ({ urls }) => handOffs(urls, waiters, seconds));
  return figuresOf(ours, cluster, await etcdHandOffs(waiters, seconds), pollingMs);
}

function figuresOf(
  ours: readonly HandOff[],
  cluster: readonly HandOff[] | undefined,
  peers: readonly HandOff[] | undefined,
  pollingMs: number,
): Figure[] {
  const figure = (percent: number, what: keyof HandOff) => ({
    format: formatShortMs,
    value: percentile(pick(ours, what), percent),
    overEtcd: cluster && percentile(pick(cluster, what), percent),
    peer: { name: 'etcd', value: peers && percentile(pick(peers, what), percent) },
  });
  return [
    { ...figure(50, 'fromAnswerMs'), name: 'hand-off p50', aim: below(3, '3 ms') },
    { ...figure(99, 'fromAnswerMs'), name: 'hand-off p99', aim: below(25, '25 ms') },
    {
      ...{ name: 'hand-off mean', value: mean(pick(ours, 'fromAnswerMs')), format: formatShortMs },
      overEtcd: cluster && mean(pick(cluster, 'fromAnswerMs')),
      peer: { name: '500 ms polling', value: pollingMs },
    },
    {
      ...figure(50, 'fromRequestMs'),
      name: 'hand-off p50 with the unlock itself',
      note: `${ours.length} hand-offs in a row, ${cluster?.length ?? 'none'} over etcd, ${peers?.length ?? 'none'} by etcd alone`,
    },
    { ...figure(99, 'fromRequestMs'), name: 'hand-off p99 with the unlock itself' },
  ];
}

function pick(samples: readonly HandOff[], what: keyof HandOff): number[] {
  return samples.map((sample) => sample[what]);
}
