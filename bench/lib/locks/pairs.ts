import { systemClock } from '../../../src/core/clock.ts';
import { parseDigest } from '../../../src/core/digest.ts';
import { toNodeId } from '../../../src/core/ids.ts';
import { createDurableLocks } from '../../../src/lock/backends/durable/durable-locks.ts';
import { tempDir } from '../../../test/support/temp.ts';
import { formatRate } from '../numbers.ts';
import { startEtcd } from './etcd.ts';
import { createEtcdClient } from './etcd-client.ts';
import { aheadOfPeer, atLeast, type Figure } from './figures.ts';
import { createClient } from './http.ts';
import { digest, forEach, range, ratePerSecond } from './many.ts';
import { about, openNode, startHeartbeats } from './nodes.ts';
import type { LocksOptions } from './options.ts';
import { watchCpu } from './process-usage.ts';
import { startServer } from './server.ts';

interface Measured {
  readonly rate: number;
  readonly note: string;
}

const callers = 256;

/** A lock and its unlock, each on disk before it is answered. */
export async function benchPairs(options: LocksOptions): Promise<Figure[]> {
  const { clients, seconds } = options;
  const http = await httpPairs(options);
  const etcd = await etcdPairs(options);
  const grouped = await inProcessPairs(callers, seconds);
  const single = await inProcessPairs(1, seconds);
  return [
    {
      ...{ name: `lock and unlock over HTTP, ${clients} clients`, value: http.rate, format: formatRate },
      aim: aheadOfPeer(atLeast(1_500, '1,500/s')),
      peer: { name: 'etcd', value: etcd?.rate },
      note: [http, etcd].flatMap((measured) => measured?.note ?? []).join('; '),
    },
    {
      ...{ name: `lock and unlock in process, ${callers} callers`, value: grouped, format: formatRate },
      aim: atLeast(20_000, '20,000/s'),
      peer: { name: 'one caller', value: single },
    },
  ];
}

async function httpPairs({ clients, seconds, profileDir }: LocksOptions): Promise<Measured> {
  const server = await startServer({ dataDir: tempDir(), profileDir });
  const connections = range(clients).map(() => createClient(server.url));
  const nodes = await Promise.all(connections.map((client, index) => openNode(client, `pairs-${index}`)));
  const beats = createClient(server.url);
  const stopHeartbeats = startHeartbeats(beats, nodes);
  const used = watchCpu({ 'the server': server.child.pid, 'its clients': process.pid });
  let layers = 0;
  const rate = await ratePerSecond(clients, seconds, async (index) => {
    const [client, node] = [connections[index], nodes[index]];
    if (!client || !node) return;
    layers += 1;
    const body = about(node, 'pull', digest(layers));
    const { acquired } = await client.call('POST', '/lock', body);
    if (!acquired) throw new Error('a free lock was not given');
    await client.call('POST', '/unlock', { ...body, success: true, error: '' });
  });
  const note = used();
  stopHeartbeats();
  for (const client of [...connections, beats]) client.close();
  await server.stop();
  return { rate, note };
}

/** The least that a lock on etcd needs: the key is put where there is none, and deleted. */
async function etcdPairs({ clients, seconds }: LocksOptions): Promise<Measured | undefined> {
  const etcd = await startEtcd();
  if (!etcd) return undefined;
  const connections = range(clients).map(() => createEtcdClient(etcd.address));
  await forEach(connections, 8, (client) => client.ready());
  await forEach(connections.entries(), 8, ([id, client]) => client.grantLease(id + 1, 3_600));
  const used = watchCpu({ etcd: etcd.child.pid, 'its clients': process.pid });
  let layers = 0;
  const rate = await ratePerSecond(clients, seconds, async (index) => {
    layers += 1;
    const key = digest(layers);
    if (!(await connections[index]?.putIfAbsent(key, index + 1))) throw new Error('a free key was taken');
    await connections[index]?.delete(key);
  });
  const note = used();
  for (const client of connections) client.close();
  await etcd.stop();
  return { rate, note };
}

async function inProcessPairs(count: number, seconds: number): Promise<number> {
  const locks = await createDurableLocks({ directory: tempDir(), clock: systemClock });
  const requests = range(count).map((caller) => ({
    type: 'update' as const,
    resourceId: parseDigest(digest(caller)),
    nodeId: toNodeId(`caller-${caller}`),
  }));
  // A commit under way does not keep a process alive, and there is no server here that would.
  const keepAlive = setInterval(() => {}, 1_000);
  try {
    return await ratePerSecond(count, seconds, async (caller) => {
      const request = requests[caller];
      if (!request) return;
      const { kind } = await locks.acquire(request);
      if (kind !== 'granted') throw new Error(`a free lock was ${kind}`);
      await locks.release({ ...request, outcome: { success: true } });
    });
  } finally {
    await locks.close();
    clearInterval(keepAlive);
  }
}
