import { expect, it } from 'vitest';
import { describeWith } from '../../../support/components.ts';
import { startEtcd } from '../../../support/etcd.ts';
import { startEtcdLockServers } from '../../../support/etcd-lock-servers.ts';
import { resourceNamed } from '../../../support/lock-client.ts';
import { patienceMs } from '../../../support/patience.ts';
import { PullingCrowd } from '../../../support/pulling-crowd.ts';

const [stores, nodesPerStore] = [10, 20];
const layers = ['one', 'two', 'three'].map(resourceNamed);
/** Of the grants of each layer in each store, while the one that succeeds comes last. */
const failures = 3;
/** Whoever is killed at the server that is killed is missed two thirds of a TTL and a whole one later. */
const times = { ttlMs: 6_000, heartbeatMs: 2_000, graceMs: 2_000 };

describeWith(
  ['etcd'],
  'three lock servers with 200 clients, of which many fail while they hold a lock',
  () => {
    it('let every layer succeed once in each store, though one of them is killed', async () => {
      const { address } = await startEtcd();
      const servers = await startEtcdLockServers(3, { addresses: [address], ...times });
      const crowd = new PullingCrowd({
        ...{ servers: servers.map(({ url }) => url), random: Math.random },
        ...{ stores, nodesPerStore, layers, failures },
      });
      const going = crowd.run(AbortSignal.timeout(2 * patienceMs));
      await expect.poll(() => crowd.holders.grants, { interval: 20 }).toBeGreaterThan(stores * failures);
      await servers[0]?.kill();
      await going;
      expect(crowd.warnings).toEqual([]);
      expect(crowd.holders.problems).toEqual([]);
      expect(crowd.holders.successes()).toEqual(Array(stores * layers.length).fill(1));
      const killed = crowd.endings.filter((one) => one === 'killed').length;
      expect(crowd.endings.filter((one) => one === 'done')).toHaveLength(stores * layers.length);
      expect(killed).toBeGreaterThan(0);
      // Whoever was killed never came to the layers after that one.
      expect(crowd.endings.length).toBeGreaterThan((stores * nodesPerStore - killed) * layers.length);
    });
  },
);
