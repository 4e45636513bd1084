import { systemClock } from '../../../src/core/clock.ts';
import { parseDigest } from '../../../src/core/digest.ts';
import { toNodeId } from '../../../src/core/ids.ts';
import { createDurableLocks } from '../../../src/lock/backends/durable/durable-locks.ts';
import { startEtcdIfThere } from '../../../test/support/etcd.ts';
import { tempDir } from '../../../test/support/temp.ts';
import { formatRate } from '../numbers.ts';
import { type Cluster, onCluster } from './cluster.ts';
import { meterEntries } from './entry-meter.ts';
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
  const http = await serverPairs(options);
  const cluster = await onCluster(options, (opened) => measureClusterPairs(opened, options));
  const etcd = await etcdPairs(options);
  const grouped = await inProcessPairs(callers, seconds);
  const single = await inProcessPairs(1, seconds);
  return [
    {
      ...{ name: `lock and unlock over HTTP, ${clients} clients`, value: http.rate, format: formatRate },
      overEtcd: cluster?.rate,
      aim: aheadOfPeer(atLeast(1_500, '1,500/s')),
      peer: { name: 'etcd', value: etcd?.rate },
      note: [http, cluster, etcd].flatMap((measured) => measured?.note ?? []).join('; '),
    },
    {
      ...{ name: `lock and unlock in process, ${callers} callers`, value: grouped, format: formatRate },
      aim: atLeast(20_000, '20,000/s'),
      peer: { name: 'one caller', value: single },
    },
  ];
}

async function serverPairs(options: LocksOptions): Promise<Measured> {
  const server = await startServer({ dataDir: tempDir(), profileDir: options.profileDir });
  const used = watchCpu({ 'the server': server.child.pid, 'its clients': process.pid });
  const rate = await httpPairs([server.url], options);
  const note = used();
  await server.stop();
  return { rate, note };
}

/** Clients at several servers, and what one pair costs in etcd: with all of them, and with one alone. */
export async function measureClusterPairs(
  cluster: Cluster,
  options: Pick<LocksOptions, 'clients' | 'seconds'>,
): Promise<Measured> {
  const [member] = cluster.etcd.members;
  const [first] = cluster.servers;
  if (!member || !first) throw new Error('a cluster of nothing');
  const pids = { 'one of the servers': first.child.pid, 'a member of etcd': member.child.pid };
  const used = watchCpu({ ...pids, 'the clients': process.pid });
  const busy = await meterPairs(member.address, () => httpPairs(cluster.urls, options));
  const cpu = used();
  const alone = await meterPairs(member.address, () =>
    httpPairs([first.url], { clients: 1, seconds: 2, firstLayer: 1e9 }),
  );
  const written = `written to etcd for one pair: ${busy.note} with ${options.clients} clients, ${alone.note} with one`;
  return { rate: busy.rate, note: `over etcd ${cpu}; ${written}` };
}

async function meterPairs(address: string, measure: () => Promise<number>): Promise<Measured> {
  const meter = await meterEntries(address);
  const startedAt = performance.now();
  const rate = await measure();
  // Its warm-up wrote too, at about the same rate.
  const pairs = (rate * (performance.now() - startedAt)) / 1_000;
  const note = `${(meter.entries() / pairs).toFixed(2)} entries with ${(meter.bytes() / pairs).toFixed(0)} bytes`;
  meter.close();
  return { rate, note };
}

interface PairsOptions extends Pick<LocksOptions, 'clients' | 'seconds'> {
  /** Layers from this number on. A layer whose pull succeeded is locked no more. Default 0. */
  readonly firstLayer?: number;
}

async function httpPairs(
  urls: readonly string[],
  { clients, seconds, firstLayer = 0 }: PairsOptions,
): Promise<number> {
  const connections = range(clients).map((index) => createClient(urls[index % urls.length] ?? ''));
  const nodes = await Promise.all(connections.map((client, index) => openNode(client, `pairs-${index}`)));
  const beats = urls.map((url) => createClient(url));
  const stops = beats.map((client, place) =>
    startHeartbeats(
      client,
      nodes.filter((_, index) => index % urls.length === place),
    ),
  );
  let layers = firstLayer;
  const rate = await ratePerSecond(clients, seconds, async (index) => {
    const [client, node] = [connections[index], nodes[index]];
    if (!client || !node) return;
    layers += 1;
    const body = about(node, 'pull', digest(layers));
    const { acquired } = await client.call('POST', '/lock', body);
    if (!acquired) throw new Error('a free lock was not given');
    await client.call('POST', '/unlock', { ...body, success: true, error: '' });
  });
  for (const stop of stops) stop();
  for (const client of [...connections, ...beats]) client.close();
  return rate;
}

/** The least that a lock on etcd needs: the key is put where there is none, and deleted. */
async function etcdPairs({ clients, seconds }: LocksOptions): Promise<Measured | undefined> {
  const etcd = await startEtcdIfThere();
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
