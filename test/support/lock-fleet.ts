import { expect } from 'vitest';
import { type CliChild, spawnCli } from './cli.ts';
import { type EtcdCluster, type EtcdMember, startEtcdCluster } from './etcd.ts';
import { get } from './get.ts';
import { soon } from './soon.ts';

/** One lock server of several, in a process of its own. */
export interface FleetServer {
  readonly url: string;
  readonly child: CliChild;
}

/** Members of etcd, and lock servers over them. */
export interface LockFleet {
  readonly etcd: EtcdCluster;
  readonly servers: readonly FleetServer[];
  /** All of them, for `--server`. */
  readonly urls: string;
  /** `etcd://…` with all members. */
  readonly backend: string;
}

export interface LockFleetStart {
  /** Default 3, of each. */
  readonly members?: number;
  readonly servers?: number;
  /** Further arguments of each `serve`. */
  readonly serve?: readonly string[];
}

/** Starts members, and servers that know all of them; everything ends with the test. */
export async function startLockFleet(start: LockFleetStart = {}): Promise<LockFleet> {
  const { members = 3, servers: count = 3, serve = [] } = start;
  const etcd = await startEtcdCluster(members);
  const backend = `etcd://${etcd.addresses.join(',')}`;
  const servers = await Promise.all(Array.from({ length: count }, () => startFleetServer(backend, serve)));
  return { etcd, servers, backend, urls: servers.map(({ url }) => url).join() };
}

/** Starts `layerpull serve` over etcd. Resolves once it takes requests. */
export async function startFleetServer(
  backend: string,
  more: readonly string[] = [],
  address = '127.0.0.1:0',
): Promise<FleetServer> {
  const child = await spawnCli(['serve', '--addr', address, '--backend', backend, ...more]);
  const [url] = await child.stdout.waitFor(/http:\/\/127\.0\.0\.1:\d+/);
  return { url, child };
}

/** SIGKILL. Resolves when it ended. */
export async function killed({ child }: Pick<FleetServer | EtcdMember, 'child'>): Promise<void> {
  child.kill('SIGKILL');
  await child.exited;
}

/** The server that has granted most: which one a client begins with is left to chance. */
export function busiest({ servers }: LockFleet): FleetServer {
  const grants = ({ child }: FleetServer) => child.stderr.text().match(/"event":"granted"/g)?.length ?? 0;
  const [first] = [...servers].sort((a, b) => grants(b) - grants(a));
  if (!first || grants(first) === 0) throw new Error('no server granted anything');
  return first;
}

/** Until `/readyz` answers so. */
export async function untilReady(url: string, status: 200 | 503): Promise<void> {
  await soon(async () => expect((await get(`${url}/readyz`)).status).toBe(status));
}
