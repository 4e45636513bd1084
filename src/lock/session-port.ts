import type { Clock } from '../core/clock.ts';
import type { Digest } from '../core/digest.ts';
import type { LayerpullError } from '../core/errors.ts';
import type { NodeId, StoreId } from '../core/ids.ts';
import type { Log } from '../core/log.ts';
import type { Locks, SessionLocks } from './locks.ts';
import type { SessionBounds } from './session-bounds.ts';

export interface LockSessionOptions {
  readonly locks: Locks;
  /** What messages call whoever answers there. Default: the lock server. */
  readonly serverName?: string;
  readonly nodeId: NodeId;
  /** Sessions with the same store id share a store and wait for each other. Default: the domain `default`. */
  readonly storeId?: StoreId;
  /** Where this node serves layers: base of its peer server, such as `http://10.0.0.12:7041`. Default: it serves none. */
  readonly url?: string;
  /** Where this node stands. Nodes of one zone read from each other first. */
  readonly zone?: string;
  readonly clock: Clock;
  readonly log?: Log;
  /**
   * `fallback`: without the lock server, or behind a holder that is too slow, every request is granted at once; `fail`:
   * without the lock server it throws, and no holder is left. Default `fallback`.
   */
  readonly onLockFailure?: 'fallback' | 'fail';
  /** Told once each time coordination is lost, and once for each layer whose holder is left. */
  readonly onWarning?: (warning: LayerpullError) => void;
  readonly bounds?: Partial<SessionBounds>;
  /** Random number in [0, 1): spreads heartbeats and retries. Default `Math.random`. */
  readonly random?: () => number;
}

/** One live session at a lock service. It uses one resource once at a time: a second request for it waits for the first. */
export interface LockSession extends SessionLocks {
  /** Makes the first contact. @throws LayerpullError `lock_*` when no lock service is in reach; `signal.reason` */
  connect(signal: AbortSignal): Promise<void>;
  /**
   * Tells with the next heartbeats which layers this node serves from now on, and which no longer. All of them are told
   * again to a server that may have forgotten them.
   */
  announce(add: readonly Digest[], remove: readonly Digest[]): void;
  /**
   * Brings the number of `children` up to date at once, and takes back that this node is about to end, if that was said:
   * others may be sent to it. Resolves when the server has heard it or is out of reach. Never throws.
   */
  welcome(): Promise<void>;
  /**
   * Tells at once, and from then on, that this node is about to end, so that nobody else is sent to it. Resolves when the
   * server has heard it or is out of reach. Called again it tells again, and brings the number of `children` up to date.
   * Never throws.
   */
  drain(): Promise<void>;
  /**
   * How many holders elsewhere are told to read from this node, as last heard: once a second while it drains, and with
   * each `drain()` or `welcome()`. 0 while the server is out of reach.
   */
  children(): number;
  /**
   * Ends the session: its locks are revoked and freed as failed, who waits is woken, and requests that are under way
   * or come later throw `lock_lost`. Idempotent, never throws.
   */
  close(): Promise<void>;
}
