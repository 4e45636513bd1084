import type { AgentConfig } from '../config/agent.ts';
import { systemClock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import { Announcer } from '../lock/announcer.ts';
import type { Locks } from '../lock/locks.ts';
import { type LockSession, openLockSession } from '../lock/session.ts';
import { openStore, type Store } from '../store/oci-layout.ts';
import { openAgentContent } from './agent-content.ts';
import { coordinateStore } from './agent-coordinator.ts';
import { drain } from './agent-drain.ts';
import { openAgentMirror } from './agent-mirror.ts';
import { openPeers } from './agent-peers.ts';
import { Closers } from './closers.ts';
import { locksOfServers, nameOf, warnAlone } from './locks.ts';
import type { RunningMirror } from './mirror.ts';
import { openTrust } from './trust.ts';

const clock = systemClock;

export interface RunningAgent {
  /** Absolute path of the store that it coordinates. */
  readonly store: string;
  /** By which other nodes read from this one. */
  readonly peerUrl: string | undefined;
  /** Of the registry mirror. */
  readonly registryUrl: string | undefined;
  /** Absolute path of the socket on which containerd finds its content. */
  readonly contentSocket: string | undefined;
  /** Reads tokens and certificates again, where there are some. */
  readonly reload: (() => void) | undefined;
  /** Waits until nobody reads from this node or its mirror any more, at most as long as configured. Never throws. */
  drain(): Promise<void>;
  /** Idempotent. */
  close(): Promise<void>;
}

export interface AgentDeps {
  readonly log: Log;
  readonly signal: AbortSignal;
}

/**
 * Starts the agent of a store: it coordinates the processes there, is their one session at the lock server, and serves
 * what the store has to other nodes.
 *
 * @throws LayerpullError `address_in_use`, `usage`, `store_*`, `lock_unreachable`; `signal.reason`
 */
export async function startAgent(config: AgentConfig, { log, signal }: AgentDeps): Promise<RunningAgent> {
  const closers = new Closers();
  try {
    const store = await openStore({ path: config.store, clock, log });
    const trust = openTrust(config.trust, log);
    if (trust) closers.add({ close: async () => trust.close() });
    let mirror: RunningMirror | undefined;
    const recorded: RunningMirror['recorded'] = async (reference) => await mirror?.recorded(reference);
    const opening = { store, log, closers, trust, recorded };
    const peers = config.peer && (await openPeers(config.peer, config, opening));
    const fleet = openUpstream(config, { store, log, closers, peerUrl: peers?.url });
    const upstream = fleet?.session;
    const announcer = announce({ store, log, upstream, isServing: peers !== undefined });
    const { path } = store.blobs;
    const onDone: Parameters<typeof coordinateStore>[0]['onDone'] = (type, digest) => {
      if (type === 'delete') announcer?.went(digest);
      else announcer?.came(digest);
    };
    const seat = closers.add(
      await coordinateStore({ store: path, upstream, trust: config.trust, log, onDone }, signal),
    );
    // Whoever is out of reach now was told of, and is asked again.
    await upstream?.connect(signal).catch(() => signal.throwIfAborted());
    if (announcer) await closers.add(announcer).start();
    if (config.mirror) {
      const around = { locks: seat.locks, nodes: fleet?.locks.nodes, ownUrl: peers?.url };
      mirror = await openAgentMirror(config, config.mirror, { ...opening, ...around });
    }
    const content = await openAgentContent(config, { ...opening, locks: seat.locks, signal });
    const addresses = { peer: peers?.url, registry: mirror?.url, content: content?.socket };
    log.info({ store: path, node: config.node, ...addresses }, 'agent started');
    return {
      store: path,
      peerUrl: peers?.url,
      registryUrl: mirror?.url,
      contentSocket: content?.socket,
      reload: trust && (() => trust.reload()),
      drain: async () => {
        const readers = () => peers?.readers() ?? 0;
        const clients = [mirror?.clients, content?.clients].filter((some) => some !== undefined);
        await drain({ upstream, readers, clients, clock, log }, config.drainMs);
      },
      close: () => closers.close(),
    };
  } catch (error) {
    await closers.close();
    throw error;
  }
}

interface Opening {
  readonly store: Store;
  readonly log: Log;
  readonly closers: Closers;
}

function openUpstream(
  config: AgentConfig,
  { store, log, closers, peerUrl }: Opening & { readonly peerUrl: string | undefined },
): { readonly session: LockSession; readonly locks: Locks } | undefined {
  const { node, zone, servers, bounds } = config;
  if (servers.length === 0) return undefined;
  const { path, storeId } = store.blobs;
  const locks: Locks = closers.add(locksOfServers(config, path, log));
  const session = closers.add(
    openLockSession({
      ...{ locks, serverName: nameOf(servers), nodeId: node, storeId, clock, log, bounds },
      ...(peerUrl === undefined ? {} : { url: peerUrl }),
      ...(zone === undefined ? {} : { zone }),
      onWarning: warnAlone(log, servers),
    }),
  );
  return { session, locks };
}

interface Announcing {
  readonly store: Store;
  readonly log: Log;
  readonly upstream: LockSession | undefined;
  readonly isServing: boolean;
}

function announce({ store, log, upstream, isServing }: Announcing): Announcer | undefined {
  if (!upstream || !isServing) return undefined;
  const list = () => store.blobs.list();
  return new Announcer({ list, announce: (add, remove) => upstream.announce(add, remove), clock, log });
}
