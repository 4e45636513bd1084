import { abortable } from '../core/abort.ts';
import type { Clock } from '../core/clock.ts';
import type { Digest } from '../core/digest.ts';
import { messageOf } from '../core/errors.ts';
import type { SessionId, StoreId } from '../core/ids.ts';
import { type Log, silentLog } from '../core/log.ts';
import type { AcquireReply, AcquireRequest, Locks, OpenSession, SessionInfo } from './locks.ts';

/** What a session leaves in its store for the others, and finds of theirs. */
export interface SessionsOnStore {
  /** @throws LayerpullError `store_*` */
  enter(sessionId: SessionId): Promise<void>;
  /** Never throws. */
  touch(sessionId: SessionId): Promise<void>;
  /** Never throws. */
  leave(sessionId: SessionId): Promise<void>;
  /** @throws LayerpullError `store_*` */
  isHere(sessionId: SessionId): Promise<boolean>;
  hasBlob(digest: Digest): Promise<boolean>;
  /** Gives the store another name than `known`, the same to all who share it. @throws LayerpullError `store_*` */
  rename(known: StoreId): Promise<StoreId>;
}

export interface StoreCopiesOptions {
  readonly locks: Locks;
  readonly sessions: SessionsOnStore;
  readonly clock: Clock;
  readonly log?: Log;
}

/** A session as it was opened last. */
interface Opened {
  request: OpenSession & { readonly storeId: StoreId };
  /** Others may have heard of it. */
  hasAsked: boolean;
  moving: Promise<void> | undefined;
}

/** Others take a session's file for left behind after a day without a touch. */
const touchEveryMs = 3_600_000;

/**
 * The same locks, for a store that may be a copy of another (a golden image, a backup) and have its name. Two such
 * stores are one domain to the lock service, and would wait for layers that never come into them. So whoever is to wait
 * behind another session, or to skip what that one brought, looks for its file in the own store first; if there is none,
 * the store takes a new name, the session goes to that domain, and the question is asked again.
 */
export function tellCopiesApart(options: StoreCopiesOptions): Locks {
  const { locks } = options;
  const guard = new CopyGuard(options);
  return {
    openSession: (request, signal) => guard.openSession(request, signal),
    closeSession: (sessionId, signal) => guard.closeSession(sessionId, signal),
    acquire: (request, signal) => guard.acquire(request, signal),
    close: () => guard.close(),
    renew: (...args) => locks.renew(...args),
    release: (...args) => locks.release(...args),
    decline: (...args) => locks.decline(...args),
    watch: (...args) => locks.watch(...args),
    watchResource: (...args) => locks.watchResource(...args),
    status: (...args) => locks.status(...args),
    list: (...args) => locks.list(...args),
    nodes: (...args) => locks.nodes(...args),
  };
}

class CopyGuard {
  readonly #locks: Locks;
  readonly #sessions: SessionsOnStore;
  readonly #log: Log;
  readonly #opened = new Map<SessionId, Opened>();
  readonly #stopTouching: () => void;

  constructor({ locks, sessions, clock, log = silentLog }: StoreCopiesOptions) {
    this.#locks = locks;
    this.#sessions = sessions;
    this.#log = log;
    this.#stopTouching = clock.every(touchEveryMs, () => {
      for (const sessionId of this.#opened.keys()) void sessions.touch(sessionId);
    });
  }

  /** The file is there before anybody can hear of the session. */
  async openSession(request: OpenSession, signal?: AbortSignal): Promise<SessionInfo> {
    const { sessionId, storeId } = request;
    if (sessionId === undefined || storeId === undefined) {
      return await this.#locks.openSession(request, signal);
    }
    const known = this.#opened.get(sessionId);
    if (!known) await this.#sessions.enter(sessionId);
    const opened = known ?? { request: { ...request, storeId }, hasAsked: false, moving: undefined };
    this.#opened.set(sessionId, opened);
    return await this.#locks.openSession(opened.request, signal);
  }

  /** For as long as the service may name the session to others, they find its file. */
  async closeSession(sessionId: SessionId, signal?: AbortSignal): Promise<void> {
    await this.#locks.closeSession(sessionId, signal);
    if (this.#opened.delete(sessionId)) await this.#sessions.leave(sessionId);
  }

  async acquire(request: AcquireRequest, signal?: AbortSignal): Promise<AcquireReply> {
    const opened = request.sessionId === undefined ? undefined : this.#opened.get(request.sessionId);
    if (!opened) return await this.#locks.acquire(request, signal);
    opened.hasAsked = true;
    const { storeId } = opened.request;
    const first = await this.#locks.acquire(request, signal);
    if (!(await this.#isFromElsewhere(first, request))) return first;
    // Who was named may have ended since, and its file with it: then nobody names it any more.
    const second = await this.#locks.acquire(request, signal);
    if (!(await this.#isFromElsewhere(second, request))) return second;
    if (!(await this.#leaveDomain(opened, storeId, signal))) return second;
    return await this.#locks.acquire(request, signal);
  }

  async close(): Promise<void> {
    this.#stopTouching();
    for (const [sessionId, { hasAsked }] of this.#opened) {
      if (!hasAsked) await this.#sessions.leave(sessionId);
    }
    await this.#locks.close();
  }

  async #isFromElsewhere(
    reply: AcquireReply,
    { type, resourceId, sessionId }: AcquireRequest,
  ): Promise<boolean> {
    const other = sessionIn(reply);
    if (other === undefined || other === sessionId || (await this.#isHere(other))) return false;
    if (reply.kind === 'queued') return true;
    // A session that ended has no file any more. What it brought is here; what it deleted is not, as it should be.
    return type === 'pull' && !(await this.#sessions.hasBlob(resourceId));
  }

  /** What cannot be told changes nothing. */
  async #isHere(sessionId: SessionId): Promise<boolean> {
    return await this.#sessions.isHere(sessionId).catch(() => true);
  }

  /** Answers whether the session is in another domain than that of `before` now. */
  async #leaveDomain(opened: Opened, before: StoreId, signal?: AbortSignal): Promise<boolean> {
    if (opened.request.storeId === before) {
      opened.moving ??= this.#move(opened).finally(() => {
        opened.moving = undefined;
      });
      await (signal ? abortable(opened.moving, signal) : opened.moving);
    }
    return opened.request.storeId !== before;
  }

  /** All layers of the session wait for it, so it ends with none of them. */
  async #move(opened: Opened): Promise<void> {
    const storeId = await this.#rename(opened.request.storeId);
    if (storeId === undefined) return;
    const request = { ...opened.request, storeId };
    await this.#locks.openSession(request);
    opened.request = request;
  }

  async #rename(known: StoreId): Promise<StoreId | undefined> {
    try {
      const storeId = await this.#sessions.rename(known);
      this.#log.info(
        { from: known, to: storeId },
        'this store is a copy of another: it has its own name now',
      );
      return storeId;
    } catch (error) {
      this.#log.warn({ storeId: known }, `this store is a copy of another: ${messageOf(error)}`);
      return undefined;
    }
  }
}

function sessionIn(reply: AcquireReply): SessionId | undefined {
  if (reply.kind === 'queued') return reply.holder?.sessionId;
  return reply.kind === 'skip' ? reply.by?.sessionId : undefined;
}
