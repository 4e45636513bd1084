import { startEtcdIfThere } from '../../../test/support/etcd.ts';
import { createEtcdClient, type EtcdClient } from './etcd-client.ts';
import { forEach, range, within } from './many.ts';
import { residentBytes } from './process-usage.ts';

export interface EtcdWaiters {
  readonly connections: number;
  readonly residentBytes: number;
  readonly completionsMs: readonly number[];
}

/** Clients of etcd in one process share it among few connections: in favour of etcd. */
const connections = 50;
const rounds = 3;

/** The same on etcd: `count` streams watch a key until it is deleted. Undefined where etcd is not to be had. */
export async function etcdWaiters(count: number): Promise<EtcdWaiters | undefined> {
  const etcd = await startEtcdIfThere();
  if (!etcd) return undefined;
  const clients = range(connections).map(() => createEtcdClient(etcd.address));
  try {
    await forEach(clients, 8, (client) => client.ready());
    const completionsMs: number[] = [];
    let bytes = 0;
    for (let round = 0; round < rounds; round += 1) {
      const deletion = await watchKey(clients, count, `bench/waiters/${round}`);
      bytes = Math.max(bytes, residentBytes(etcd.child.pid));
      completionsMs.push(...(await deletion()));
    }
    return { connections, residentBytes: bytes, completionsMs };
  } finally {
    for (const client of clients) client.close();
    await etcd.stop();
  }
}

/** Answers what deletes the key and tells how many milliseconds later each stream heard of it. */
async function watchKey(clients: readonly EtcdClient[], count: number, key: string) {
  await clients[0]?.put(key, 0);
  const watchers = range(count).flatMap((index) => clients[index % clients.length]?.watcher() ?? []);
  const heard: Promise<number>[] = [];
  await forEach(watchers, 64, async (watcher) => {
    let tell: (atMs: number) => void = () => {};
    heard.push(
      new Promise((resolve) => {
        tell = resolve;
      }),
    );
    await watcher.watch(key, ({ kind, atMs }) => kind === 'delete' && tell(atMs));
  });
  return async () => {
    const askedAt = performance.now();
    await clients[0]?.delete(key);
    const times = await within(60_000, 'all hearing of a deletion', Promise.all(heard));
    for (const watcher of watchers) watcher.close();
    return times.map((atMs) => atMs - askedAt);
  };
}
