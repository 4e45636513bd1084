import { systemClock } from '../../src/core/clock.ts';
import { createEtcd } from '../../src/lock/backends/etcd/client/etcd-client.ts';
import {
  createEtcdLocks,
  type EtcdLocks,
  type EtcdLocksOptions,
} from '../../src/lock/backends/etcd/etcd-locks.ts';
import { createLockServer } from '../../src/lock/server/server.ts';
import { onCleanup } from './cleanup.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

export interface EtcdLockServersOptions extends Partial<EtcdLocksOptions> {
  /** `HOST:PORT` of the members. */
  readonly addresses: readonly string[];
  /** Default `layerpull/`. */
  readonly prefix?: string;
}

/** A lock server in this process. */
export interface EtcdLockServer {
  readonly locks: EtcdLocks;
  readonly url: URL;
  /** Its ways to the members of etcd. */
  readonly lines: readonly TcpProxy[];
  /** Its connections to etcd break, and it makes no others; or does again. */
  cutOff(isCut: boolean): void;
  /** As when its process is killed: it says goodbye to nobody. */
  kill(): Promise<void>;
}

/** Real lock servers of one cluster over a real etcd, one after the other. They end with the test. */
export async function startEtcdLockServers(
  count: number,
  options: EtcdLockServersOptions,
): Promise<readonly EtcdLockServer[]> {
  const servers: EtcdLockServer[] = [];
  while (servers.length < count) servers.push(await startEtcdLockServer(options));
  return servers;
}

export async function startEtcdLockServer(options: EtcdLockServersOptions): Promise<EtcdLockServer> {
  const { addresses, prefix = 'layerpull/', ...more } = options;
  const lines = await Promise.all(addresses.map((address) => startTcpProxy(`http://${address}`)));
  const endpoints = lines.map(({ url }) => new URL(url).host);
  const etcd = createEtcd({ endpoints, prefix, clock: systemClock });
  onCleanup(() => etcd.close());
  const locks = await createEtcdLocks({
    ...{ clock: systemClock, version: '0.0.0', recoveryMs: 0 },
    ...more,
    etcd,
  });
  onCleanup(() => locks.close());
  const server = createLockServer({ locks, clock: systemClock });
  onCleanup(() => server.close());
  const listening = await server.listen({ host: '127.0.0.1', port: 0 });
  const way = await startTcpProxy(listening.url);
  return {
    ...{ locks, url: new URL(way.url), lines },
    cutOff: (isCut) => {
      for (const line of lines) line.refuse(isCut);
    },
    kill: async () => {
      for (const line of lines) await line.kill();
      await way.kill();
    },
  };
}
