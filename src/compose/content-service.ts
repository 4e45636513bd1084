import type { ContainerdRootConfig } from '../config/containerd-root.ts';
import type { DaemonConfig } from '../config/daemon.ts';
import { createFlights } from '../containerd/flights.ts';
import { systemClock } from '../core/clock.ts';
import type { Digest } from '../core/digest.ts';
import type { Log } from '../core/log.ts';
import type { FleetTrust } from '../http/fleet-trust.ts';
import type { SessionLocks } from '../lock/locks.ts';
import { createPeers } from '../peer/client.ts';
import { guided } from '../peer/guided.ts';
import { createPeerHealth } from '../peer/peer-health.ts';
import type { Store } from '../store/oci-layout.ts';
import type { Closers } from './closers.ts';
import { settleRoot } from './content-root.ts';
import { countWriters } from './content-writers.ts';
import { optimiseForLong } from './long-run.ts';
import type { MirrorClients } from './mirror.ts';

const clock = systemClock;

export interface ContentConfig extends Pick<DaemonConfig, 'node' | 'version' | 'peers'> {
  /** Absolute path of the socket on which containerd finds its content. */
  readonly socket: string;
  /** What containerd kept itself before. Undefined: nobody looks. */
  readonly containerdRoot: ContainerdRootConfig | undefined;
}

export interface ContentDeps {
  readonly store: Store;
  readonly log: Log;
  /** Gets what is opened here. */
  readonly closers: Closers;
  readonly trust: FleetTrust | undefined;
  /** The session through which layers are brought. */
  readonly locks: SessionLocks;
  /** Told of each blob that is in the store now. */
  readonly onStored: (digest: Digest) => void;
  readonly signal: AbortSignal;
}

export interface RunningContent {
  /** Who writes here. */
  readonly clients: MirrorClients;
}

/**
 * Serves the content of a containerd on a socket.
 *
 * @throws LayerpullError `address_in_use`, `data_in_use`, `usage`, `content_not_imported`, `store_*`; `signal.reason`
 */
export async function openContent(config: ContentConfig, deps: ContentDeps): Promise<RunningContent> {
  optimiseForLong();
  const { store, log, closers, trust, locks } = deps;
  const { maxTransfers: _, ...reading } = config.peers;
  const shelf = closers.add(await store.shelf(config.node));
  await settleRoot(config.containerdRoot, shelf, deps);
  const peers = closers.add(
    createPeers({ userAgent: `layerpull/${config.version}`, clock, trust, ...reading }),
  );
  const brought = createFlights({
    ...{ locks, store: store.blobs, clock, log },
    guided: (guide, registry) => {
      const health = createPeerHealth((message) => log.warn({}, message));
      return guided({ guide, registry, peers, health, clock });
    },
    callbacks: {
      updateReferences: async (_type, digest, { success }) => {
        if (success) deps.onStored(digest);
      },
    },
  });
  const flights = closers.add(countWriters(brought));
  const { startContentService } = await import('../containerd/server.ts');
  closers.add(await startContentService({ socket: config.socket, shelf, flights, clock, log }));
  return { clients: flights.clients };
}
