import type { DaemonConfig, PeerAddress } from '../config/daemon.ts';
import { systemClock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import type { FleetTrust } from '../http/fleet-trust.ts';
import { localAddressTowardsAny } from '../http/local-address.ts';
import type { MirrorContent } from '../peer/mirror-port.ts';
import { createPeerServer } from '../peer/server.ts';
import type { Store } from '../store/oci-layout.ts';
import type { Closers } from './closers.ts';
import { servingOf, warnOfOtherName, warnWhenOpen } from './trust.ts';

const clock = systemClock;

export interface PeersDeps {
  readonly store: Store;
  readonly log: Log;
  /** Gets what is opened here. */
  readonly closers: Closers;
  readonly trust: FleetTrust | undefined;
  readonly recorded: MirrorContent['recorded'];
}

/** What serves a node's layers to other nodes. */
export interface RunningPeers {
  /** By which others reach it. */
  readonly url: string;
  /** Layers on their way to readers now. */
  readers(): number;
}

/** Serves the store to other nodes. @throws LayerpullError `address_in_use`, `usage` */
export async function openPeers(
  address: PeerAddress,
  { servers, peers }: Pick<DaemonConfig, 'servers' | 'peers'>,
  { store, log, closers, trust, recorded }: PeersDeps,
): Promise<RunningPeers> {
  const serving = await servingOf(trust);
  closers.add({ close: async () => serving.close() });
  const { maxTransfers } = peers;
  const options = { blobs: store.growing, clock, log, serving, recorded, maxTransfers };
  const door = closers.add(createPeerServer(options));
  const listening = await door.listen(address);
  warnWhenOpen('the peer server', address.host, serving, log);
  const url = address.url ?? (await urlForOthers(listening, address.host, servers));
  warnOfOtherName(url, trust, log);
  return { url, readers: () => door.readers() };
}

const wildcards = new Set(['0.0.0.0', '::']);

/** Who listens everywhere is reached where it reaches a lock server from. */
async function urlForOthers(
  { url, port }: { readonly url: string; readonly port: number },
  host: string,
  servers: readonly URL[],
): Promise<string> {
  if (!wildcards.has(host)) return url;
  const { protocol } = new URL(url);
  const address = (await localAddressTowardsAny(servers)) ?? 'localhost';
  return `${protocol}//${address.includes(':') ? `[${address}]` : address}:${port}`;
}
