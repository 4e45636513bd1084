import type { AgentConfig, MirrorConfig } from '../config/agent.ts';
import { systemClock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import type { FleetTrust } from '../http/fleet-trust.ts';
import type { Locks } from '../lock/locks.ts';
import { openLockSession } from '../lock/session.ts';
import type { PeerReading } from '../orchestrator/peers.ts';
import { createPeers, type Peers } from '../peer/client.ts';
import { guided } from '../peer/guided.ts';
import type { AskOthers } from '../peer/mirror-port.ts';
import { createPeerHealth } from '../peer/peer-health.ts';
import { asking } from '../peer/records.ts';
import type { Store } from '../store/oci-layout.ts';
import type { Closers } from './closers.ts';
import { composeMirror, type RunningMirror } from './mirror.ts';
import { servingOf, warnWhenOpen } from './trust.ts';

const clock = systemClock;
/** As pulls do. */
const layersAtOnce = 6;

export interface AgentMirrorDeps {
  readonly store: Store;
  readonly log: Log;
  /** Gets what is opened here. */
  readonly closers: Closers;
  readonly trust: FleetTrust | undefined;
  /** Of the processes of the store, of which the mirror is one. */
  readonly locks: Locks;
  /** Where others are known; undefined: nowhere. */
  readonly nodes: Locks['nodes'] | undefined;
  /** By which others read from this node. */
  readonly ownUrl: string | undefined;
}

/** The registry mirror of an agent: its layers come as those of pulls on its store. @throws LayerpullError */
export async function openAgentMirror(
  config: AgentConfig,
  { address, registry, asAgent, offlineTtlMs }: MirrorConfig,
  deps: AgentMirrorDeps,
): Promise<RunningMirror> {
  const { store, log, closers, trust, locks: service, ownUrl } = deps;
  const { node, version, bounds } = config;
  const { maxTransfers: _, ...reading } = config.peers;
  const serving = await servingOf(trust);
  closers.add({ close: async () => serving.close() });
  const { storeId } = store.blobs;
  const locks = closers.add(openLockSession({ locks: service, nodeId: node, storeId, clock, log, bounds }));
  const peers = closers.add(createPeers({ userAgent: `layerpull/${version}`, clock, trust, ...reading }));
  const askOthers = deps.nodes && othersOf(deps.nodes, peers, ownUrl);
  const mirror = await composeMirror(
    { ...address, registry, node, concurrency: layersAtOnce, asAgent, offlineTtlMs },
    { log, store, locks, door: serving, askOthers, peers: () => readingFrom(peers, log) },
  );
  warnWhenOpen('the registry mirror', address.host, serving, log);
  return closers.add(mirror);
}

/** What one layer learns of its peers is for that layer. */
function readingFrom(peers: Peers, log: Log): PeerReading {
  const health = createPeerHealth((message) => log.warn({}, message));
  return { guided: (guide, registry) => guided({ guide, registry, peers, health, clock }) };
}

function othersOf(nodes: Locks['nodes'], peers: Peers, ownUrl: string | undefined): AskOthers {
  const urls = async (signal: AbortSignal) => {
    const known = await nodes(signal);
    const online = known.filter(({ state }) => state === 'online');
    return online.flatMap(({ url }) => (url === undefined || url === ownUrl ? [] : [url]));
  };
  return asking({ urls, ask: (url, reference, signal) => peers.recorded(url, reference, signal), clock });
}
