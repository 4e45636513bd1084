import { component } from '../../../test/support/component-list.ts';
import { type EtcdCluster, startEtcdCluster } from '../../../test/support/etcd.ts';
import { range } from './many.ts';
import type { LocksOptions } from './options.ts';
import { type Server, startServer } from './server.ts';

/** Lock servers that share their locks, and the etcd behind them. */
export interface Cluster {
  readonly etcd: EtcdCluster;
  /** What they are started with. */
  readonly backend: string;
  readonly servers: readonly Server[];
  readonly urls: readonly string[];
  stop(): Promise<void>;
}

/** All on this machine; undefined where etcd is not to be had. */
export async function startCluster(options: ClusterOptions): Promise<Cluster | undefined> {
  if (!component('etcd')) return undefined;
  const etcd = await startEtcdCluster(options.members);
  const backend = `etcd://${etcd.addresses.join(',')}`;
  const { profileDir } = options;
  const servers = await Promise.all(range(options.servers).map(() => startServer({ backend, profileDir })));
  const stop = async () => {
    await Promise.all(servers.map((server) => server.stop()));
    await Promise.all(etcd.members.map((member) => member.stop()));
  };
  return { etcd, backend, servers, urls: servers.map(({ url }) => url), stop };
}

export type ClusterOptions = Pick<LocksOptions, 'members' | 'servers' | 'profileDir'>;

/** Measures on a cluster and stops it; undefined where etcd is not to be had. */
export async function onCluster<T>(
  options: ClusterOptions,
  measure: (cluster: Cluster) => Promise<T>,
): Promise<T | undefined> {
  const cluster = await startCluster(options);
  if (!cluster) return undefined;
  const measured = await measure(cluster);
  await cluster.stop();
  return measured;
}
