import type { AgentConfig } from '../config/agent.ts';
import { systemClock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import type { FleetTrust } from '../http/fleet-trust.ts';
import type { Locks } from '../lock/locks.ts';
import { openLockSession } from '../lock/session.ts';
import type { Store } from '../store/oci-layout.ts';
import type { Closers } from './closers.ts';
import type { RunningContent } from './content-service.ts';

const clock = systemClock;

export interface AgentContentDeps {
  readonly store: Store;
  readonly log: Log;
  /** Gets what is opened here. */
  readonly closers: Closers;
  readonly trust: FleetTrust | undefined;
  /** Of the processes of the store, of which what serves containerd is one. */
  readonly locks: Locks;
  readonly signal: AbortSignal;
}

export interface AgentContent extends RunningContent {
  /** Absolute path. */
  readonly socket: string;
}

/** The content of a containerd, where a socket for it is named: what `layerpull content-plugin` is in a process of its own. */
export async function openAgentContent(
  config: AgentConfig,
  { locks: service, ...deps }: AgentContentDeps,
): Promise<AgentContent | undefined> {
  const { contentSocket: socket, node, bounds } = config;
  if (socket === undefined) return undefined;
  const { openContent } = await import('./content-service.ts');
  const { storeId } = deps.store.blobs;
  const session = openLockSession({ locks: service, nodeId: node, storeId, clock, log: deps.log, bounds });
  const locks = deps.closers.add(session);
  // What comes into the store is told to other nodes by the agent.
  const content = await openContent({ ...config, socket }, { ...deps, locks, onStored: () => {} });
  return { socket, ...content };
}
