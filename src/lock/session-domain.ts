import { abortable } from '../core/abort.ts';
import type { Clock } from '../core/clock.ts';
import type { Digest } from '../core/digest.ts';
import { messageOf } from '../core/errors.ts';
import type { SessionId, StoreId } from '../core/ids.ts';
import type { Log } from '../core/log.ts';
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

export interface DomainParts {
  readonly locks: Locks;
  readonly sessions: SessionsOnStore;
  readonly clock: Clock;
  readonly log: Log;
}

/** A session that has a store. */
export type OpenStoreSession = OpenSession & {
  readonly sessionId: SessionId;
  readonly storeId: StoreId;
};

/** Longer than most network file systems keep what they know of a folder's names. */
const lookAgainMs = 1_000;

type Named = { readonly holder?: { readonly sessionId?: SessionId } };

/** One session, in the domain of its store for as long as nobody there turns out to have another store. */
export class SessionDomain {
  readonly #parts: DomainParts;
  #open: OpenStoreSession;
  #hasAsked = false;
  #isClosing = false;
  #isStuck = false;
  #moving: Promise<void> | undefined;
  /** Whom the service named and who had no file here, with the time of the first look. */
  readonly #missing = new Map<SessionId, number>();

  constructor(parts: DomainParts, open: OpenStoreSession) {
    this.#parts = parts;
    this.#open = open;
  }

  /** Others may have heard of it. */
  get hasAsked(): boolean {
    return this.#hasAsked;
  }

  async open(signal?: AbortSignal, onRefusal?: (error: Error) => void): Promise<SessionInfo> {
    return await this.#parts.locks.openSession(this.#open, signal, onRefusal);
  }

  /** A session that is about to move is closed after that: nothing opens it again. */
  async close(signal?: AbortSignal): Promise<void> {
    this.#isClosing = true;
    const moved = this.#moving?.catch(() => {});
    if (moved) await (signal ? abortable(moved, signal) : moved);
    await this.#parts.locks.closeSession(this.#open.sessionId, signal);
  }

  async acquire(request: AcquireRequest, signal?: AbortSignal): Promise<AcquireReply> {
    const { locks, clock } = this.#parts;
    this.#hasAsked = true;
    const first = await locks.acquire(request, signal);
    if (!(await this.#isFromElsewhere(first, request))) return first;
    await clock.sleep(lookAgainMs, signal);
    // Who was named may have ended since, and its file with it: then nobody names it any more.
    const { storeId } = this.#open;
    const second = await locks.acquire(request, signal);
    if (!(await this.#isFromElsewhere(second, request))) return second;
    if (!(await this.#leaveDomain(storeId, signal))) return second;
    return await locks.acquire(request, signal);
  }

  /**
   * Whoever holds what the session waits for changes while it waits. One that is named by a request that was sent after
   * its file was missed is still there, and so would be its file.
   */
  async renew(heartbeat: Heartbeat, signal?: AbortSignal): Promise<SessionSnapshot> {
    const { storeId } = this.#open;
    const missed = this.#missedForLong();
    const snapshot = await this.#parts.locks.renew(this.#open.sessionId, heartbeat, signal);
    void this.#lookAfter(snapshot, missed, storeId);
    return snapshot;
  }

  /** News may be old: it takes a heartbeat to tell whether a session that is not here is anywhere. */
  noteEvent(event: SessionEvent): void {
    if (event.kind === 'queued') void this.#lookFor([event]);
    if (event.kind === 'snapshot') void this.#lookFor(event.queued);
  }

  #missedForLong(): ReadonlySet<SessionId> {
    const untilMs = this.#parts.clock.now() - lookAgainMs;
    const missed = [...this.#missing].filter(([, sinceMs]) => sinceMs <= untilMs);
    return new Set(missed.map(([sessionId]) => sessionId));
  }

  async #lookAfter(
    { queued }: SessionSnapshot,
    missed: ReadonlySet<SessionId>,
    before: StoreId,
  ): Promise<void> {
    const named = this.#othersIn(queued);
    for (const sessionId of this.#missing.keys()) if (!named.has(sessionId)) this.#missing.delete(sessionId);
    const absent = await this.#lookFor(queued);
    if (this.#isStuck || !absent.some((sessionId) => missed.has(sessionId))) return;
    await this.#leaveDomain(before).catch((error: unknown) => {
      this.#parts.log.debug(
        { storeId: before, error },
        'the session could not be opened under its new store',
      );
    });
  }

  /** Notes who of the holders is not here, and answers that. */
  async #lookFor(places: readonly Named[]): Promise<readonly SessionId[]> {
    const { clock } = this.#parts;
    const absent: SessionId[] = [];
    for (const sessionId of this.#othersIn(places)) {
      if (await this.#isHere(sessionId)) {
        this.#missing.delete(sessionId);
      } else {
        absent.push(sessionId);
        if (!this.#missing.has(sessionId)) this.#missing.set(sessionId, clock.now());
      }
    }
    return absent;
  }

  #othersIn(places: readonly Named[]): ReadonlySet<SessionId> {
    const ids = places.flatMap(({ holder }) => holder?.sessionId ?? []);
    return new Set(ids.filter((sessionId) => sessionId !== this.#open.sessionId));
  }

  async #isFromElsewhere(reply: AcquireReply, { type, resourceId }: AcquireRequest): Promise<boolean> {
    const other = sessionIn(reply);
    if (other === undefined || other === this.#open.sessionId || (await this.#isHere(other))) return false;
    if (reply.kind === 'queued') return true;
    // A session that ended has no file any more. What it brought is here; what it deleted is not, as it should be.
    return type === 'pull' && !(await this.#parts.sessions.hasBlob(resourceId));
  }

  /** What cannot be told changes nothing. */
  async #isHere(sessionId: SessionId): Promise<boolean> {
    return await this.#parts.sessions.isHere(sessionId).catch(() => true);
  }

  /** Answers whether the session is in another domain than that of `before` now. */
  async #leaveDomain(before: StoreId, signal?: AbortSignal): Promise<boolean> {
    if (this.#open.storeId === before) {
      this.#moving ??= this.#move(before).finally(() => {
        this.#moving = undefined;
      });
      await (signal ? abortable(this.#moving, signal) : this.#moving);
    }
    return this.#open.storeId !== before;
  }

  /** What the session holds and waits for goes along. All its layers wait for that, so it ends with none of them. */
  async #move(before: StoreId): Promise<void> {
    const storeId = await this.#rename(before);
    this.#isStuck = storeId === undefined;
    if (storeId === undefined || this.#isClosing) return;
    const open = { ...this.#open, storeId };
    await this.#parts.locks.openSession(open);
    this.#open = open;
    this.#missing.clear();
  }

  async #rename(known: StoreId): Promise<StoreId | undefined> {
    const { sessions, log } = this.#parts;
    try {
      const storeId = await sessions.rename(known);
      log.info({ from: known, to: storeId }, 'this store is a copy of another: it has its own name now');
      return storeId;
    } catch (error) {
      log.warn({ storeId: known }, `this store is a copy of another: ${messageOf(error)}`);
      return undefined;
    }
  }
}

function sessionIn(reply: AcquireReply): SessionId | undefined {
  if (reply.kind === 'queued') return reply.holder?.sessionId;
  return reply.kind === 'skip' ? reply.by?.sessionId : undefined;
}
