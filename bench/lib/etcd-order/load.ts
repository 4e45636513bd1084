import { range, sleep } from '../locks/many.ts';
import type { Cluster, Used } from './locker.ts';

export interface LoadOptions {
  readonly clients: number;
  readonly locks: number;
  readonly seconds: number;
}

export interface Load {
  readonly pairsPerSecond: number;
  /** Milliseconds until a lock that was free was given. */
  readonly freeMs: readonly number[];
  /** Milliseconds from asking to release a lock until the next one has it. */
  readonly handOffMs: readonly number[];
  readonly usedPerPair: Used;
}

const warmUpMs = 1_000;
const settleMs = 500;

/** Clients take one lock after another, any of them, and release each at once. */
export async function putLoadOn(cluster: Cluster, { clients, locks, seconds }: LoadOptions): Promise<Load> {
  const begin = performance.now() + warmUpMs;
  const end = begin + seconds * 1_000;
  const freeMs: number[] = [];
  const handOffMs: number[] = [];
  const releasedAt = new Map<number, number>();
  let pairs = 0;
  const before = cluster.used();
  const repeat = async (client: number) => {
    const server = cluster.servers[client % cluster.servers.length];
    for (let now = 0; server && now < end; ) {
      const lock = Math.floor(Math.random() * locks);
      const askedAt = performance.now();
      const hadToWait = await server.acquire(client, lock);
      now = performance.now();
      if (now >= begin && hadToWait) handOffMs.push(now - Math.max(askedAt, releasedAt.get(lock) ?? 0));
      else if (now >= begin) freeMs.push(now - askedAt);
      releasedAt.set(lock, now);
      await server.release(client, lock);
      now = performance.now();
      pairs += 1;
    }
  };
  await Promise.all(range(clients).map(repeat));
  const after = cluster.used();
  const usedPerPair = {
    transactions: (after.transactions - before.transactions) / pairs,
    events: (after.events - before.events) / pairs,
  };
  const inTime = freeMs.length + handOffMs.length;
  return { pairsPerSecond: inTime / seconds, freeMs, handOffMs, usedPerPair };
}

export interface Answered {
  /** Until all had a place. */
  readonly queuedMs: number;
  /** Until whoever completed was answered, and until every server knew that all are. */
  readonly completedMs: number;
  readonly allKnowMs: number;
  readonly events: number;
}

/** So many wait for one lock, spread over the servers, and one completion answers them all. */
export async function answerAll(cluster: Cluster, waiters: number, lock: number): Promise<Answered> {
  const { servers } = cluster;
  const [first] = servers;
  if (!first) throw new Error('a cluster without servers');
  await first.acquire(0, lock);
  const askedAt = performance.now();
  await Promise.all(
    range(waiters).map((client) => servers[client % servers.length]?.queue(client + 1, lock)),
  );
  const queuedMs = performance.now() - askedAt;
  // Servers may still read of the places of others.
  await sleep(settleMs);
  const before = cluster.used().events;
  const known = Promise.all(cluster.allAnswered(lock));
  const completedAt = performance.now();
  await first.complete(0, lock);
  const completedMs = performance.now() - completedAt;
  await known;
  const allKnowMs = performance.now() - completedAt;
  return { queuedMs, completedMs, allKnowMs, events: cluster.used().events - before };
}
