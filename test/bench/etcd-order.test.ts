import { expect, test } from 'vitest';
import { answerAll, putLoadOn } from '../../bench/lib/etcd-order/load.ts';
import type { Cluster } from '../../bench/lib/etcd-order/locker.ts';
import { openLog } from '../../bench/lib/etcd-order/log.ts';
import { openTransactions } from '../../bench/lib/etcd-order/transactions.ts';

import { forEach, range } from '../../bench/lib/locks/many.ts';
import { describeWith } from '../support/components.ts';
import { startEtcd } from '../support/etcd.ts';

const ways: readonly [string, (address: string) => Promise<Cluster>][] = [
  ['transactions that compare keys', (address) => openTransactions(address, 3)],
  ['a log that etcd orders', (address) => openLog(address, 3)],
];

describeWith(['etcd'], 'locks that the bench keeps in etcd', () => {
  test.each(ways)('as %s, go to one client at a time', async (_, open) => {
    await withCluster(open, async ({ servers }) => {
      let holders = 0;
      const seen: number[] = [];
      await forEach(range(60), 12, async (client) => {
        const server = servers[client % servers.length];
        await server?.acquire(client, 1);
        holders += 1;
        seen.push(holders);
        await new Promise((resolve) => setImmediate(resolve));
        holders -= 1;
        await server?.release(client, 1);
      });
      expect(seen).toEqual(range(60).map(() => 1));
    });
  });

  test.each(ways)('as %s, are measured under load and with one completion for all', async (_, open) => {
    await withCluster(open, async (cluster) => {
      const load = await putLoadOn(cluster, { clients: 6, locks: 2, seconds: 3 });
      expect(load.pairsPerSecond).toBeGreaterThan(0);
      expect(load.handOffMs.length).toBeGreaterThan(0);
      const { allKnowMs, completedMs } = await answerAll(cluster, 30, 9);
      expect(allKnowMs).toBeGreaterThanOrEqual(completedMs);
    });
  });
});

async function withCluster(
  open: (address: string) => Promise<Cluster>,
  use: (cluster: Cluster) => Promise<void>,
) {
  const etcd = await startEtcd();
  const cluster = await open(etcd.address);
  await use(cluster);
  cluster.close();
  await etcd.stop();
}
