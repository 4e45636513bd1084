import { describe } from 'vitest';
import { describeWith } from '../../../support/components.ts';
import { startEtcdCluster } from '../../../support/etcd.ts';
import { etcdMishaps } from '../../../support/history/etcd-mishaps.ts';
import { expectExplained } from '../../../support/history/problems.ts';
import type { RoundOptions } from '../../../support/history/round.ts';
import { soak } from '../../../support/soak.ts';

/** Two thirds of a session's time to live, in whole seconds and at least two. */
const seatMs = 2_000;

/** So many lock servers over so many members of etcd. */
const over =
  (members: number, count: number): RoundOptions['service'] =>
  async (random) => {
    const cluster = await startEtcdCluster(members, { heartbeatMs: 50, electionMs: 500 });
    return {
      args: ['--backend', `etcd://${cluster.addresses.join(',')}`],
      count,
      mishaps: (servers) => etcdMishaps({ cluster, servers, random, seatMs }),
    };
  };

/** Few of each layer: while etcd elects a leader nobody is answered, and all that was asked may have happened, or not. */
const maxOperations = 16;

const services: Record<string, Omit<RoundOptions, 'seed'>> = {
  'one server over one etcd': { service: over(1, 1), restarts: 'kept', maxOperations },
  'three servers over three members of etcd': {
    ...{ service: over(3, 3), restarts: 'kept', maxOperations },
    workMs: 6_000,
  },
};

describeWith(['etcd'], 'what clients see', () => {
  describe.each(Object.entries(services))('of %s', (_, options) => {
    soak(
      'can be explained by an order in which it keeps its promises',
      (seed) => expectExplained({ seed, ...options }),
      1 / Object.keys(services).length,
    );
  });
});
