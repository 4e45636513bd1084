import { tempDir } from '../../../test/support/temp.ts';
import { formatMs, median } from '../numbers.ts';
import { type Cluster, onCluster } from './cluster.ts';
import type { Figure } from './figures.ts';
import type { LocksOptions } from './options.ts';
import { openRealNode, type RealNode } from './recovery-stage.ts';
import { type Server, startServer } from './server.ts';

const rounds = 5;

type Options = Pick<LocksOptions, 'profileDir'>;

/** Resolves once something is dead, to what waits until it is back. */
type Kill = () => Promise<() => Promise<void>>;

/** Milliseconds from the kill to the grants of waiters, for each round. */
export interface Recovery {
  /** Of a waiter that was connected to the server that died, or to the first one where none did. */
  readonly connectedMs: number[];
  /** Of one that was connected to another. */
  readonly elsewhereMs: number[];
}

/** Until a lock is handed on again after SIGKILL: of the only server, of one of several, of the leader of etcd. */
export async function benchRecovery(options: LocksOptions): Promise<Figure[]> {
  const single = await singleServer(options, rounds);
  const cluster = await onCluster(options, async (opened) => ({
    leader: await leaderOfEtcd(opened, rounds),
    server: await oneOfSeveral(opened, options, rounds),
  }));
  const figure = (name: string, embedded: readonly number[] | undefined, overEtcd?: readonly number[]) => ({
    ...{ name: `${name}, median of ${rounds}`, format: formatMs },
    value: embedded && median(embedded),
    overEtcd: overEtcd && median(overEtcd),
    note: [spread('', embedded), spread('over etcd ', overEtcd)].filter((text) => text !== '').join('; '),
  });
  return [
    figure(
      'next grant after a server died, to who was connected to it',
      single.connectedMs,
      cluster?.server.connectedMs,
    ),
    figure('the same, to who was not', undefined, cluster?.server.elsewhereMs),
    figure(
      'next grant after the leader of etcd died',
      undefined,
      cluster && [...cluster.leader.connectedMs, ...cluster.leader.elsewhereMs],
    ),
  ];
}

function spread(of: string, samples: readonly number[] | undefined): string {
  return samples ? `${of}${formatMs(Math.min(...samples))} to ${formatMs(Math.max(...samples))}` : '';
}

export async function singleServer({ profileDir }: Options, rounds: number): Promise<Recovery> {
  const dataDir = tempDir();
  let server = await startServer({ dataDir, profileDir });
  const { url, port } = server;
  const recovery = await recover([url], rounds, async () => {
    await killServer(server);
    // At once, as a supervisor would.
    const started = startServer({ dataDir, port, profileDir });
    return async () => {
      server = await started;
    };
  });
  await server.stop();
  return recovery;
}

export async function oneOfSeveral(
  { servers, urls, backend }: Cluster,
  { profileDir }: Options,
  rounds: number,
): Promise<Recovery> {
  let [server] = servers;
  if (!server) throw new Error('a cluster without servers');
  const { port } = server;
  const recovery = await recover(urls, rounds, async () => {
    await killServer(server);
    return async () => {
      server = await startServer({ backend, port, profileDir });
    };
  });
  await server.stop();
  return recovery;
}

async function killServer(server: Server | undefined): Promise<void> {
  server?.child.kill('SIGKILL');
  await server?.child.exited;
}

export async function leaderOfEtcd({ etcd, urls }: Cluster, rounds: number): Promise<Recovery> {
  let leader = await etcd.leader();
  return await recover(urls, rounds, async () => {
    await leader.kill();
    return async () => {
      await leader.restart();
      leader = await etcd.leader();
    };
  });
}

async function recover(urls: readonly string[], rounds: number, kill: Kill): Promise<Recovery> {
  const recovery: Recovery = { connectedMs: [], elsewhereMs: [] };
  for (let round = 0; round < rounds; round += 1) {
    const others = [...urls.slice(1), ...urls.slice(0, 1)];
    const holder = openRealNode('holder', others);
    const connected = openRealNode('connected', urls);
    const elsewhere = openRealNode('elsewhere', others);
    const comeBack = await recoverOnce(2 * round, { holder, connected, elsewhere }, kill, recovery);
    await comeBack();
    await Promise.all([holder, connected, elsewhere].map((node) => node.close()));
  }
  return recovery;
}

interface Cast {
  readonly holder: RealNode;
  readonly connected: RealNode;
  readonly elsewhere: RealNode;
}

async function recoverOnce(layer: number, cast: Cast, kill: Kill, recovery: Recovery) {
  const holds = [await cast.holder.hold(layer), await cast.holder.hold(layer + 1)];
  const connected = await cast.connected.waitFor(layer);
  const elsewhere = await cast.elsewhere.waitFor(layer + 1);
  const killedAt = performance.now();
  const comeBack = await kill();
  const released = holds.map((hold) => hold.release({ success: true }));
  recovery.connectedMs.push((await connected.granted) - killedAt);
  recovery.elsewhereMs.push((await elsewhere.granted) - killedAt);
  await Promise.all(released);
  return comeBack;
}
