import { describe, expect, test } from 'vitest';
import { onCluster } from '../../../bench/lib/locks/cluster.ts';
import { measureClusterCrowd } from '../../../bench/lib/locks/cluster-crowd.ts';
import { measureCrowd } from '../../../bench/lib/locks/crowd.ts';
import { etcdHandOffs } from '../../../bench/lib/locks/etcd-handoff.ts';
import { etcdWaiters } from '../../../bench/lib/locks/etcd-waiters.ts';
import { handOffs } from '../../../bench/lib/locks/handoff-rounds.ts';
import { measureClusterPairs } from '../../../bench/lib/locks/pairs.ts';
import { leaderOfEtcd, oneOfSeveral, singleServer } from '../../../bench/lib/locks/recovery.ts';
import { startServer } from '../../../bench/lib/locks/server.ts';
import { describeWith } from '../../support/components.ts';
import { tempDir } from '../../support/temp.ts';

/** In so many a busy machine, whose disk others write to, does something too. */
const seconds = 3;

describe('the rounds of the bench of locks', () => {
  test('hand one lock on among waiters', async () => {
    const server = await startServer({ dataDir: tempDir() });
    const samples = await handOffs(server.url, 3, seconds);
    expect(samples.length).toBeGreaterThan(0);
    expect(samples.every((sample) => sample.fromRequestMs >= sample.fromAnswerMs)).toBe(true);
    await server.stop();
  });

  test('find every waiter in its place after the server was killed', async () => {
    const crowd = await measureCrowd(5, { settleMs: 0 });
    expect(crowd.placesLost).toBe(0);
    expect([crowd.completionsMs.length, crowd.freshCompletionsMs.length]).toEqual([15, 5]);
    expect(crowd.residentBytes).toBeGreaterThan(1_024 ** 2);
  });
});

describeWith(['etcd'], 'the same rounds on etcd', () => {
  test('hand one lock on among waiters', async () => {
    const samples = await etcdHandOffs(3, seconds);
    expect(samples?.length).toBeGreaterThan(0);
  });

  test('reach every waiter', async () => {
    const waiters = await etcdWaiters(5);
    expect(waiters?.completionsMs).toHaveLength(15);
  });
});

test('the only server of waiters is back after it was killed', async () => {
  const { connectedMs, elsewhereMs } = await singleServer({ profileDir: undefined }, 1);
  expect([connectedMs.length, elsewhereMs.length]).toEqual([1, 1]);
});

describeWith(['etcd'], 'the same rounds over several servers', () => {
  const options = { servers: 3, members: 1, clients: 3, seconds, profileDir: undefined };

  test('hand one lock on from server to server, and say what that costs in etcd', async () => {
    const measured = await onCluster(options, async (cluster) => ({
      pairs: await measureClusterPairs(cluster, options),
      samples: await handOffs(cluster.urls, 4, seconds),
    }));
    expect(measured?.samples.length).toBeGreaterThan(0);
    expect(measured?.pairs.rate).toBeGreaterThan(0);
    expect(measured?.pairs.note).toMatch(
      / [\d.]+ entries with \d+ bytes with 3 clients, [\d.]+ entries with /,
    );
  });

  test('reach every waiter, wherever it is', async () => {
    const crowd = await onCluster(options, (cluster) => measureClusterCrowd(cluster, 7, 0));
    expect(crowd?.completionsMs).toHaveLength(21);
    expect(crowd?.residentBytes).toHaveLength(3);
  });

  test('hand on after a server was killed, and after the leader of etcd was', async () => {
    const both = await onCluster({ ...options, members: 3 }, async (cluster) => ({
      leader: await leaderOfEtcd(cluster, 1),
      server: await oneOfSeveral(cluster, options, 1),
    }));
    expect(both?.leader.connectedMs).toHaveLength(1);
    expect(both?.server.connectedMs).toHaveLength(1);
    expect(both?.server.elsewhereMs).toHaveLength(1);
  });
});
