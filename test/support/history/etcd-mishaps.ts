import { systemClock } from '../../../src/core/clock.ts';
import type { EtcdCluster, EtcdMember } from '../etcd.ts';
import { oneOf, type Random } from './choices.ts';
import type { TestedServer } from './tested-server.ts';
import type { Mishap } from './tested-service.ts';

export interface EtcdMishapsOptions {
  readonly cluster: EtcdCluster;
  readonly servers: readonly TestedServer[];
  readonly random: Random;
  /** Milliseconds after which a lock server that is stopped has lost its seat. */
  readonly seatMs: number;
}

/** What can go wrong with an etcd, and with a lock server that hears nothing of it for a while. */
export function etcdMishaps(options: EtcdMishapsOptions): readonly Mishap[] {
  return [
    { weight: 3, run: (note, signal) => killMember(options, note, signal) },
    { weight: 3, run: (note, signal) => freezeMember(options, note, signal) },
    { weight: 3, run: (note, signal) => loseSeat(options, note, signal) },
    { weight: 3, run: (note, signal) => compact(options, note, signal) },
  ];
}

type Run = (options: EtcdMishapsOptions, ...rest: Parameters<Mishap['run']>) => Promise<void>;

const killMember: Run = async ({ cluster, random }, note, signal) => {
  const [member, name] = await anyMember(cluster, random);
  note(`${name} is killed`);
  await member.kill();
  await systemClock.sleep(random() * 800, signal).catch(() => {});
  await member.restart();
  note(`${name} runs again`);
};

const freezeMember: Run = async ({ cluster, random }, note, signal) => {
  const [member, name] = await anyMember(cluster, random);
  const ms = 100 + random() * 1_500;
  note(`${name} is stopped for ${ms.toFixed()} ms`);
  member.freeze();
  await systemClock.sleep(ms, signal).catch(() => {});
  member.thaw();
};

const loseSeat: Run = async ({ servers, random, seatMs }, note, signal) => {
  const ms = seatMs + 300 + random() * 1_000;
  note(`a server is stopped for ${ms.toFixed()} ms, and loses its seat`);
  await one(servers, random).pause(ms, signal);
};

/** What the server would have to watch when it goes on is gone. */
const compact: Run = async ({ cluster, servers, random }, note, signal) => {
  const ms = 200 + random() * 1_000;
  note(`a server is stopped for ${ms.toFixed()} ms, and etcd compacts`);
  const pause = one(servers, random).pause(ms, signal);
  await systemClock.sleep(ms * 0.8, signal).catch(() => {});
  const { admin } = one(cluster.members, random);
  await admin.compact(await admin.put('of-nobody', ''));
  await pause;
};

async function anyMember(cluster: EtcdCluster, random: Random): Promise<readonly [EtcdMember, string]> {
  const member = await oneOf(random, [
    [1, async () => one(cluster.members, random)],
    [1, () => cluster.leader()],
  ])();
  const isLeader = cluster.members.length > 1 && member === (await cluster.leader());
  return [member, isLeader ? 'the leader of etcd' : 'a member of etcd'];
}

function one<T>(all: readonly T[], random: Random): T {
  const found = all[Math.floor(random() * all.length)];
  if (found === undefined) throw new Error('there is none');
  return found;
}
