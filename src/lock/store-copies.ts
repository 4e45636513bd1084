import type { SessionId } from '../core/ids.ts';
import { type Log, silentLog } from '../core/log.ts';
import type {
  AcquireReply,
  AcquireRequest,
  Heartbeat,
  Locks,
  OpenSession,
  SessionEvent,
  SessionInfo,
  SessionSnapshot,
} from './locks.ts';
import { type DomainParts, type OpenStoreSession, SessionDomain } from './session-domain.ts';

export interface StoreCopiesOptions extends Omit<DomainParts, 'log'> {
  readonly log?: Log;
}

/** Others take a session's file for left behind after a day without a touch. */
const touchEveryMs = 3_600_000;

/**
 * The same locks, for a store that may be a copy of another (a golden image, a backup) and have its name. Two such
 * stores are one domain to the lock service, and would wait for layers that never come into them. So whoever is to wait
 * behind another session, or to skip what that one brought, looks for its file in the own store first, and again a
 * moment later; if there is none, the store takes a new name, the session goes to that domain with all that it holds and
 * waits for, and the question is asked again.
 */
export function tellCopiesApart(options: StoreCopiesOptions): Locks {
  const { locks } = options;
  const guard = new CopyGuard(options);
  return {
    openSession: (...args) => guard.openSession(...args),
    closeSession: (sessionId, signal) => guard.closeSession(sessionId, signal),
    renew: (...args) => guard.renew(...args),
    acquire: (request, signal) => guard.acquire(request, signal),
    watch: (...args) => guard.watch(...args),
    close: () => guard.close(),
    release: (...args) => locks.release(...args),
    decline: (...args) => locks.decline(...args),
    watchResource: (...args) => locks.watchResource(...args),
    sources: (...args) => locks.sources(...args),
    status: (...args) => locks.status(...args),
    list: (...args) => locks.list(...args),
    nodes: (...args) => locks.nodes(...args),
  };
}

class CopyGuard {
  readonly #parts: DomainParts;
  readonly #opened = new Map<SessionId, SessionDomain>();
  readonly #stopTouching: () => void;

  constructor(options: StoreCopiesOptions) {
    const { sessions, clock, log = silentLog } = options;
    this.#parts = { ...options, log };
    this.#stopTouching = clock.every(touchEveryMs, () => {
      for (const sessionId of this.#opened.keys()) void sessions.touch(sessionId);
    });
  }

  /** The file is there before anybody can hear of the session. */
  async openSession(
    request: OpenSession,
    signal?: AbortSignal,
    onRefusal?: (error: Error) => void,
  ): Promise<SessionInfo> {
    const { locks, sessions } = this.#parts;
    const { sessionId, storeId } = request;
    if (storeId === undefined) return await locks.openSession(request, signal, onRefusal);
    if (sessionId === undefined) return await this.#openUnnamed({ ...request, storeId }, signal);
    const known = this.#opened.get(sessionId);
    if (!known) await sessions.enter(sessionId);
    const session = known ?? new SessionDomain(this.#parts, { ...request, sessionId, storeId });
    this.#opened.set(sessionId, session);
    return await session.open(signal, onRefusal);
  }

  /** Others hear of it when it asks for something, which takes the name that the service gave it. */
  async #openUnnamed(
    request: Omit<OpenStoreSession, 'sessionId'>,
    signal?: AbortSignal,
  ): Promise<SessionInfo> {
    const { locks, sessions } = this.#parts;
    const info = await locks.openSession(request, signal);
    const { sessionId } = info;
    try {
      await sessions.enter(sessionId);
    } catch (error) {
      await locks.closeSession(sessionId, signal).catch(() => {});
      throw error;
    }
    this.#opened.set(sessionId, new SessionDomain(this.#parts, { ...request, sessionId }));
    return info;
  }

  /** For as long as the service may name the session to others, they find its file. */
  async closeSession(sessionId: SessionId, signal?: AbortSignal): Promise<void> {
    const { locks, sessions } = this.#parts;
    const session = this.#opened.get(sessionId);
    if (!session) return await locks.closeSession(sessionId, signal);
    await session.close(signal);
    if (this.#opened.delete(sessionId)) await sessions.leave(sessionId);
  }

  async acquire(request: AcquireRequest, signal?: AbortSignal): Promise<AcquireReply> {
    const session = request.sessionId === undefined ? undefined : this.#opened.get(request.sessionId);
    return await (session ?? this.#parts.locks).acquire(request, signal);
  }

  async renew(sessionId: SessionId, heartbeat: Heartbeat, signal?: AbortSignal): Promise<SessionSnapshot> {
    const session = this.#opened.get(sessionId);
    if (!session) return await this.#parts.locks.renew(sessionId, heartbeat, signal);
    return await session.renew(heartbeat, signal);
  }

  async *watch(sessionId: SessionId, signal: AbortSignal): AsyncIterable<SessionEvent> {
    for await (const event of this.#parts.locks.watch(sessionId, signal)) {
      this.#opened.get(sessionId)?.noteEvent(event);
      yield event;
    }
  }

  async close(): Promise<void> {
    const { locks, sessions } = this.#parts;
    this.#stopTouching();
    for (const [sessionId, { hasAsked }] of this.#opened) {
      if (!hasAsked) await sessions.leave(sessionId);
    }
    await locks.close();
  }
}
