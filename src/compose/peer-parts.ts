import type { PullConfig } from '../config/pull.ts';
import type { Clock } from '../core/clock.ts';
import type { LayerpullError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { LockSession } from '../lock/session.ts';
import type { PeerReading } from '../orchestrator/peers.ts';
import type { ServeLayers, SharingSession } from './share.ts';

/** All that a pull needs of other nodes. */
export interface PeerParts {
  readonly reading: PeerReading;
  readonly serve: ServeLayers;
  sharing(session: LockSession): SharingSession;
  close(): Promise<void>;
}

export interface PeerPartsOptions {
  readonly config: PullConfig;
  readonly clock: Clock;
  readonly log: Log;
  readonly onWarning: (warning: LayerpullError) => void;
}

/** Loaded only by a pull with a lock server or an agent. */
export type LoadPeerParts = (options: PeerPartsOptions) => Promise<PeerParts>;
