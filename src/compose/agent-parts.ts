import type { AgentConfig } from '../config/agent.ts';
import type { ListenAddress } from '../config/address.ts';
import type { Log } from '../core/log.ts';
import type { Locks } from '../lock/locks.ts';
import type { Store } from '../store/oci-layout.ts';

/** What serves a node's layers to other nodes. */
export interface PeerDoor {
  /** Port 0 picks a free one. @throws LayerpullError `address_in_use`, `usage` */
  listen(address: ListenAddress): Promise<{ readonly url: string; readonly port: number }>;
  /** Layers on their way to readers now. */
  readers(): number;
  close(): Promise<void>;
}

/** What listens beside it, such as the registry mirror. */
export interface SideDoor {
  readonly url: string;
  close(): Promise<void>;
}

export interface PartDeps {
  readonly store: Store;
  readonly log: Log;
}

/** What an agent can do besides coordinating its store. Each is absent where nobody asked for it. */
export interface AgentParts {
  readonly openPeerDoor?: (config: AgentConfig, deps: PartDeps) => Promise<PeerDoor>;
  /** `locks` are those of the store; whoever uses them opens a session of its own. */
  readonly openMirror?: (
    config: AgentConfig,
    deps: PartDeps & { readonly locks: Locks },
  ) => Promise<SideDoor | undefined>;
}
