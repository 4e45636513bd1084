import { startEtcdIfThere } from '../../../test/support/etcd.ts';
import { createEtcdClient, type EtcdClient } from './etcd-client.ts';
import type { HandOff } from './handoff-rounds.ts';
import { forEach, range, within } from './many.ts';

/** Longer than the bench runs, so that nobody has to keep a lease alive. */
const leaseSeconds = 3_600;
const patienceMs = 20_000;

/**
 * The same on etcd as its own recipe for locks does it: each waiter has a key and watches the one before it, and the
 * holder goes on by deleting its own. Undefined where etcd is not to be had.
 */
export async function etcdHandOffs(waiters: number, seconds: number): Promise<HandOff[] | undefined> {
  const etcd = await startEtcdIfThere();
  if (!etcd) return undefined;
  const client = createEtcdClient(etcd.address);
  try {
    await client.ready();
    return await handOverInTurns(client, waiters, seconds);
  } finally {
    client.close();
    await etcd.stop();
  }
}

async function handOverInTurns(client: EtcdClient, waiters: number, seconds: number): Promise<HandOff[]> {
  await forEach(range(waiters + 1), 64, (id) => client.grantLease(id + 1, leaseSeconds));
  const queue = createQueue(client, waiters + 1);
  for (const _ of range(waiters + 1)) await queue.enter();
  const samples: HandOff[] = [];
  for (const end = performance.now() + seconds * 1_000; performance.now() < end; ) {
    const askedAt = performance.now();
    const atMs = await queue.leave();
    const answeredAt = performance.now();
    const eventAt = await within(patienceMs, 'an event of etcd', atMs.event);
    samples.push({ fromAnswerMs: Math.max(0, eventAt - answeredAt), fromRequestMs: eventAt - askedAt });
    await queue.enter();
  }
  queue.close();
  return samples;
}

function createQueue(client: EtcdClient, leases: number) {
  const watcher = client.watcher();
  const events = new Map<number, Promise<number>>();
  let [first, last] = [0, -1];
  const keyOf = (number: number) => `bench/handoff/${String(number).padStart(12, '0')}`;
  return {
    /** A new key at the end, whose owner watches the one before it. */
    async enter() {
      const before = last;
      last += 1;
      await client.put(keyOf(last), (last % leases) + 1);
      if (before < first) return;
      let tell: (atMs: number) => void = () => {};
      events.set(before, new Promise((resolve) => (tell = resolve)));
      const stop = await watcher.watch(keyOf(before), ({ kind, atMs }) => {
        if (kind !== 'delete') return;
        stop();
        tell(atMs);
      });
    },
    /** Deletes the first key; resolves when etcd answered. */
    async leave(): Promise<{ readonly event: Promise<number> }> {
      const event = events.get(first) ?? Promise.reject(new Error('nobody watches'));
      await client.delete(keyOf(first));
      events.delete(first);
      first += 1;
      return { event };
    },
    close: () => watcher.close(),
  };
}
