import { systemClock } from '../core/clock.ts';
import type { Digest } from '../core/digest.ts';
import type { Log } from '../core/log.ts';
import type { LockService, Observe } from '../lock/backends/engine/engine.ts';
import { createMemoryLocks } from '../lock/backends/memory.ts';
import type { AgentTrust, CoordinatorRecord } from '../lock/coordinator-file.ts';
import {
  type EmbeddedServer,
  type EmbeddedServerOptions,
  type Seat,
  takeLead,
} from '../lock/embedded-election.ts';
import type { OperationType } from '../lock/locks.ts';
import { createRelayLocks } from '../lock/relay.ts';
import type { LockSession } from '../lock/session.ts';
import { storageError } from '../store/files.ts';
import { createSessions } from '../store/sessions.ts';
import { Closers } from './closers.ts';
import { openDoor } from './locks.ts';

const clock = systemClock;

export interface CoordinatorParts {
  /** Absolute path of the store. */
  readonly store: string;
  /** The one session towards the lock server, where there is one. */
  readonly upstream: LockSession | undefined;
  /** Where the tokens and certificates of the fleet are. */
  readonly trust: AgentTrust | undefined;
  readonly log: Log;
  /** Told of each operation of a process of the store that succeeded. */
  readonly onDone: (type: OperationType, digest: Digest) => void;
}

/**
 * A holder that reads from another node may stand still without a fault of its own, and whose fault it is only the lock
 * server can tell: it gets time to do so, twice over. Milliseconds.
 */
const relayedStallMs = 60_000;

/**
 * Makes the agent the coordinator of its store, as soon as nobody else is.
 *
 * @throws LayerpullError `lock_unreachable`, `store_*`; `signal.reason`
 */
export async function coordinateStore(parts: CoordinatorParts, signal: AbortSignal): Promise<Seat> {
  const { store, trust, log } = parts;
  const serve = (options: EmbeddedServerOptions) => serveStore(options, parts);
  const options = { store, clock, isAgent: true, trust, serve };
  try {
    return await takeLead(options, (who) => tellWait(who, store, log), signal);
  } catch (error) {
    signal.throwIfAborted();
    throw storageError(error, `coordinate the store ${store}`);
  }
}

async function serveStore(
  { firstToken, recoveryMs, socketPath }: EmbeddedServerOptions,
  parts: CoordinatorParts,
): Promise<EmbeddedServer> {
  const { upstream, log } = parts;
  const closers = new Closers();
  const stall = upstream ? { stallMs: relayedStallMs } : {};
  let memory: LockService | undefined;
  const local = (observe: Observe = () => {}) => {
    memory = createMemoryLocks({ clock, log, firstToken, recoveryMs, ...stall, observe });
    return memory;
  };
  const { hasBlob } = createSessions(parts.store, clock.wallNow);
  const locks = upstream
    ? createRelayLocks({ local, upstream, clock, hasBlob, onDone: parts.onDone })
    : local();
  closers.add(locks);
  closers.add(await openDoor(locks, socketPath, log));
  return { locks, hasOtherSessions: () => (memory?.sessionCount() ?? 0) > 0, close: () => closers.close() };
}

function tellWait(who: CoordinatorRecord | undefined, store: string, log: Log): void {
  const process = who ? `process ${who.pid}` : 'another process';
  log.info(
    { store, ...(who ? { pid: who.pid } : {}) },
    `${process} coordinates the store: waiting for it to end`,
  );
}
