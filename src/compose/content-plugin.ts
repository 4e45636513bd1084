import type { ContentPluginConfig } from '../config/content-plugin.ts';
import { systemClock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import type { FleetTrust } from '../http/fleet-trust.ts';
import { Announcer } from '../lock/announcer.ts';
import { type LockSession, openLockSession } from '../lock/session.ts';
import { openStore, type Store } from '../store/oci-layout.ts';
import { drain } from './agent-drain.ts';
import { openPeers, type RunningPeers } from './agent-peers.ts';
import { Closers } from './closers.ts';
import { openContent } from './content-service.ts';
import { type Coordination, coordination, warnAlone } from './locks.ts';
import { openTrust } from './trust.ts';

const clock = systemClock;

export interface RunningContentPlugin {
  /** Absolute path of the socket on which containerd finds its content. */
  readonly socket: string;
  /** Absolute path of the store. */
  readonly store: string;
  /** By which other nodes read from this one. */
  readonly peerUrl: string | undefined;
  /** Reads tokens and certificates again, where there are some. */
  readonly reload: (() => void) | undefined;
  /** Waits until nobody writes here or reads from this node any more, at most as long as configured. Never throws. */
  drain(): Promise<void>;
  /** Idempotent. */
  close(): Promise<void>;
}

export interface ContentPluginDeps {
  readonly log: Log;
  readonly signal: AbortSignal;
}

/**
 * Starts the content store of a containerd. Its locks are those of a lock server, of the agent of the store, or of the
 * processes on the store; a plugin with a lock server serves what the store has to other nodes.
 *
 * @throws LayerpullError `address_in_use`, `data_in_use`, `usage`, `content_not_imported`, `store_*`; `signal.reason`
 */
export async function startContentPlugin(
  config: ContentPluginConfig,
  { log, signal }: ContentPluginDeps,
): Promise<RunningContentPlugin> {
  const closers = new Closers();
  try {
    const store = await openStore({ path: config.store, clock, log });
    const trust = openTrust(config.trust, log);
    if (trust) closers.add({ close: async () => trust.close() });
    const parts = { store, log, closers, trust };
    const service = closers.add(await coordination(config, store.blobs.path, log, true));
    const peers = await openOwnPeers(config, service, parts);
    const session = closers.add(openSession(config, { ...parts, service, peers }));
    const announcer = peers && closers.add(announcerOf(store, session, log));
    // Whoever is out of reach now was told of, and is asked again.
    await session.connect(signal).catch(() => signal.throwIfAborted());
    await announcer?.start();
    const onStored = (digest: Parameters<Announcer['came']>[0]) => announcer?.came(digest);
    const content = await openContent(config, { ...parts, locks: session, onStored, signal });
    const { path } = store.blobs;
    const { socket, containerdSocket } = config;
    if (containerdSocket !== undefined) {
      const { watchContainerd } = await import('./containerd-watch.ts');
      closers.add(watchContainerd({ socket: containerdSocket, contentSocket: socket, clock, log }));
    }
    const fields = { socket, store: path, node: config.node, by: service.by, peer: peers?.url };
    log.info(fields, 'content plugin started');
    return {
      socket,
      store: path,
      peerUrl: peers?.url,
      reload: trust && (() => trust.reload()),
      drain: async () => {
        const readers = () => peers?.readers() ?? 0;
        await drain({ upstream: session, readers, clients: [content.clients], clock, log }, config.drainMs);
      },
      close: () => closers.close(),
    };
  } catch (error) {
    await closers.close();
    throw error;
  }
}

interface Parts {
  readonly store: Store;
  readonly log: Log;
  readonly closers: Closers;
  readonly trust: FleetTrust | undefined;
}

/** The agent of the store serves what the store has, also what a plugin brought there. */
async function openOwnPeers(
  config: ContentPluginConfig,
  { by }: Coordination,
  parts: Parts,
): Promise<RunningPeers | undefined> {
  if (by === 'agent' || !config.peer) return undefined;
  return await openPeers(config.peer, config, { ...parts, recorded: async () => undefined });
}

function openSession(
  { node, zone, servers, bounds }: ContentPluginConfig,
  { service, store, peers, log }: Parts & { service: Coordination; peers: RunningPeers | undefined },
): LockSession {
  return openLockSession({
    ...{ locks: service.locks, serverName: service.serverName, nodeId: node },
    ...{ storeId: store.blobs.storeId, clock, log, bounds },
    ...(peers === undefined ? {} : { url: peers.url }),
    ...(zone === undefined ? {} : { zone }),
    onWarning: warnAlone(log, service.by === 'server' ? servers : []),
  });
}

function announcerOf(store: Store, session: LockSession, log: Log): Announcer {
  const list = () => store.blobs.list();
  return new Announcer({ list, announce: (add, remove) => session.announce(add, remove), clock, log });
}
