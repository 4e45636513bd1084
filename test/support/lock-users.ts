import { systemClock } from '../../src/core/clock.ts';
import type { Digest } from '../../src/core/digest.ts';
import { isLayerpullError } from '../../src/core/errors.ts';
import { type SessionId, toNodeId, toSessionId, toStoreId, toToken } from '../../src/core/ids.ts';
import { createHttpLocks } from '../../src/lock/backends/http/http-locks.ts';
import type { AcquireReply, Locks, Outcome, ReleaseReply, SessionSnapshot } from '../../src/lock/locks.ts';
import { onCleanup } from './cleanup.ts';

/** A client of one lock server, which asks once, and waits for a server that takes its time. */
export function clientAt(server: string | URL): Locks {
  const timeouts = { requestMs: 30_000, heartbeatMs: 30_000, retries: 0 };
  const locks = createHttpLocks({
    servers: [new URL(server)],
    version: '0.0.0',
    clock: systemClock,
    timeouts,
  });
  onCleanup(() => locks.close());
  return locks;
}

export interface UserOptions {
  /** Default: one that all share. */
  readonly store?: string;
  /** Base of its peer server. Default: it serves nobody. */
  readonly url?: string;
}

/** A session that asks whichever server it is told to, and keeps nothing in mind. */
export interface LockUser {
  readonly sessionId: SessionId;
  open(at: Locks): Promise<void>;
  acquire(at: Locks, resource: Digest): Promise<AcquireReply>;
  /** @param token of what it says that it holds */
  renew(at: Locks, held?: { readonly resource: Digest; readonly token: number }): Promise<SessionSnapshot>;
  /** Default: it succeeded. */
  release(at: Locks, resource: Digest, token: number, outcome?: Outcome): Promise<ReleaseReply>;
}

export function lockUser(name: string, { store = 'store', url }: UserOptions = {}): LockUser {
  const [nodeId, sessionId] = [toNodeId(`node-${name}`), toSessionId(`session-${name}`)];
  const about = (resourceId: Digest) => ({ type: 'pull' as const, resourceId, nodeId, sessionId });
  return {
    sessionId,
    open: async (at) => {
      const serving = url === undefined ? {} : { url };
      await at.openSession({ nodeId, sessionId, storeId: toStoreId(store), ...serving });
    },
    acquire: (at, resource) => at.acquire(about(resource)),
    renew: (at, held) => {
      const one = held && {
        ...{ type: 'pull' as const, resourceId: held.resource, token: toToken(held.token) },
        ...{ offset: 1, total: 2 },
      };
      return at.renew(sessionId, { held: one ? [one] : [] });
    },
    release: (at, resource, token, outcome = { success: true }) =>
      at.release({ ...about(resource), token: toToken(token), outcome }),
  };
}

export function tokenOf(reply: AcquireReply): number {
  if (reply.kind !== 'granted') throw new Error(`expected a grant, not ${reply.kind}`);
  return reply.token;
}

/** Kind of a reply, or code of the error in its place. */
export async function outcomeOf(asked: Promise<object>): Promise<string> {
  try {
    const reply = await asked;
    return 'kind' in reply ? String(reply.kind) : 'answered';
  } catch (error) {
    if (isLayerpullError(error)) return error.code;
    throw error;
  }
}

export const failedHere: Outcome = { success: false, error: 'disk full', class: 'node' };
