import { randomUUID } from 'node:crypto';
import { withDeadline } from '../core/abort.ts';
import type { Clock } from '../core/clock.ts';
import { isLayerpullError, LayerpullError } from '../core/errors.ts';
import { type NodeId, type SessionId, type StoreId, toSessionId } from '../core/ids.ts';
import { type Log, silentLog } from '../core/log.ts';
import type {
  AcquireReply,
  HeldProgress,
  Hold,
  LayerAcquire,
  LayerReply,
  Locks,
  Outcome,
  Place,
  ResourceRequest,
  SessionLocks,
} from './locks.ts';
import { SessionBook } from './session-book.ts';
import { type ActiveHold, createHold, uncoordinatedHold } from './session-holds.ts';
import { defaultLinkBounds, isUnknownSession, type LinkBounds, SessionLink } from './session-link.ts';
import type { PendingRequest } from './session-places.ts';

export interface LockSessionOptions {
  readonly locks: Locks;
  readonly nodeId: NodeId;
  /** Sessions with the same store id share a store and wait for each other. Default: the domain `default`. */
  readonly storeId?: StoreId;
  readonly clock: Clock;
  readonly log?: Log;
  /** `fallback`: without the lock server every request is granted at once; `fail`: it throws. Default `fallback`. */
  readonly onLockFailure?: 'fallback' | 'fail';
  /** Told once each time coordination is lost. */
  readonly onWarning?: (warning: LayerpullError) => void;
  readonly bounds?: Partial<LinkBounds>;
}

/** One live session at a lock service. */
export interface LockSession extends SessionLocks {
  /** Ends the session; what it still holds is freed as failed. Idempotent, never throws. */
  close(): Promise<void>;
}

/** Between two tries to reach a server that went away: short enough for the next one to be found at once. */
const retryMs = 200;
/** What may be left unsaid is said in this many milliseconds or not at all. */
const lastWordMs = 1_000;

/**
 * Makes a session that is opened by its first request and kept by a stream and heartbeats. It comes back by itself
 * after a broken stream, a moved or a restarted server, with its locks and places.
 */
export function openLockSession(options: LockSessionOptions): LockSession {
  return new Session(options);
}

class Session implements LockSession {
  readonly sessionId: SessionId = toSessionId(randomUUID());
  readonly #options: LockSessionOptions;
  readonly #bounds: LinkBounds;
  readonly #log: Log;
  readonly #link: SessionLink;
  readonly #book = new SessionBook((grant) => {
    void this.#tellDecline(grant);
  });
  #isBusy = false;
  #failure: LayerpullError | undefined;

  constructor(options: LockSessionOptions) {
    const { locks, clock, nodeId, storeId, bounds, log = silentLog } = options;
    this.#options = options;
    this.#log = log;
    this.#bounds = { ...defaultLinkBounds, ...bounds };
    this.#link = new SessionLink({
      locks,
      clock,
      bounds: this.#bounds,
      open: { sessionId: this.sessionId, nodeId, ...(storeId === undefined ? {} : { storeId }) },
      held: () => this.#held(),
      isBusy: () => this.#isBusy,
      onEvent: (event) => this.#book.onEvent(event),
      onSnapshot: (snapshot) => this.#book.onSnapshot(snapshot),
      onHeldAnswer: (snapshot, sent) => this.#book.onHeldAnswer(snapshot, sent),
      onReopened: () => this.#askForPlacesAgain(),
      onLost: (error) => this.#onLost(error),
    });
  }

  get claimMs(): number {
    return this.#link.claimMs;
  }

  async acquire(request: LayerAcquire, signal: AbortSignal): Promise<LayerReply> {
    signal.throwIfAborted();
    if (!(await this.#link.ready())) return this.#goAlone(request);
    signal.throwIfAborted();
    const pending = this.#book.pendingFor(request);
    try {
      return this.#settle(pending, await this.#ask(pending, signal));
    } catch (error) {
      this.#book.forget(pending);
      signal.throwIfAborted();
      if (!isLayerpullError(error) || error.origin !== 'lock') throw error;
      this.#link.lose(error);
      return this.#goAlone(request);
    }
  }

  async close(): Promise<void> {
    await this.#link.close();
  }

  /** Asks until there is an answer, over restarts and moves of the server, for as long as the bounds allow. */
  async #ask(pending: PendingRequest, signal: AbortSignal): Promise<AcquireReply> {
    return await this.#untilReached(signal, async (attempt) => {
      try {
        return await this.#askOnce(pending, attempt);
      } catch (error) {
        if (!isUnknownSession(error)) throw error;
        await this.#link.reopen();
        return await this.#askOnce(pending, attempt);
      }
    });
  }

  #askOnce({ request, requestId, position }: PendingRequest, signal: AbortSignal): Promise<AcquireReply> {
    const { total: _, ...rest } = request;
    const place = position > 0 ? { position } : {};
    return this.#options.locks.acquire({ ...this.#identify(request), ...rest, requestId, ...place }, signal);
  }

  #identify({ type, resourceId }: Pick<ResourceRequest, 'type' | 'resourceId'>): ResourceRequest {
    return { type, resourceId, nodeId: this.#options.nodeId, sessionId: this.sessionId };
  }

  async #untilReached<T>(
    signal: AbortSignal | undefined,
    work: (attempt: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { clock } = this.#options;
    const ms = this.#bounds.outOfReachMs;
    return await withDeadline(
      clock,
      ms,
      signal,
      () => outOfReach(ms),
      async (attempt) => {
        for (;;) {
          try {
            return await work(attempt);
          } catch (error) {
            if (!isLayerpullError(error) || error.code !== 'lock_unreachable') throw error;
            await clock.sleep(retryMs, attempt);
          }
        }
      },
    );
  }

  #settle(pending: PendingRequest, reply: AcquireReply): LayerReply {
    switch (reply.kind) {
      case 'granted':
        this.#book.forget(pending);
        return { kind: 'granted', hold: this.#hold(pending.request, reply) };
      case 'queued':
        pending.placed(reply.position, reply.holder);
        return { kind: 'queued', place: this.#place(pending) };
      case 'refused':
        this.#book.forget(pending);
        return reply.reason === 'limit' ? this.#goOnPastLimit(pending.request, reply.message) : reply;
      case 'skip':
        this.#book.forget(pending);
        return reply;
    }
  }

  /** A full server is no reason to be slower than a plain pull. */
  #goOnPastLimit(request: LayerAcquire, message: string): LayerReply {
    this.#log.warn({ resource: request.resourceId }, `lock server is full, going on without it: ${message}`);
    return { kind: 'granted', hold: uncoordinatedHold(request) };
  }

  #hold(request: LayerAcquire, grant: Extract<AcquireReply, { kind: 'granted' }>): Hold {
    const active = createHold({
      request,
      token: grant.token,
      source: grant.source,
      onProgress: () => {
        this.#isBusy = true;
      },
      onRelease: async (outcome) => {
        this.#book.removeHold(request, active);
        if (active.hold.revoked.aborted) return;
        await this.#release(active, request, outcome);
      },
    });
    this.#book.addHold(request, active);
    return active.hold;
  }

  async #release(active: ActiveHold, request: LayerAcquire, outcome: Outcome): Promise<void> {
    const release = { ...this.#identify(request), token: active.token, outcome };
    const tell = (attempt: AbortSignal) => this.#options.locks.release(release, attempt);
    try {
      // Others wait for a success; a failure ends with the session too, and must not hold up an interrupted pull.
      const reply = outcome.success
        ? await this.#untilReached(undefined, tell)
        : await this.#within(lastWordMs, tell);
      if (reply.kind !== 'released') this.#log.debug({ ...release, reply }, 'release was not accepted');
    } catch (error) {
      this.#log.debug({ resource: request.resourceId, error }, 'release could not be told');
    }
  }

  #place(pending: PendingRequest): Place {
    return {
      position: pending.position,
      ...(pending.holder ? { holder: pending.holder } : {}),
      next: async (signal) => {
        try {
          return await pending.next(signal);
        } catch (error) {
          await this.#decline(pending);
          throw error;
        }
      },
      decline: () => this.#decline(pending),
    };
  }

  async #decline(pending: PendingRequest): Promise<void> {
    this.#book.forget(pending);
    await this.#tellDecline(pending.request);
  }

  async #tellDecline(request: Pick<ResourceRequest, 'type' | 'resourceId'>): Promise<void> {
    if (!this.#link.isOnline) return;
    const decline = (signal: AbortSignal) => this.#options.locks.decline(this.#identify(request), signal);
    await this.#within(lastWordMs, decline).catch(() => {});
  }

  async #within<T>(ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return await withDeadline(this.#options.clock, ms, undefined, () => outOfReach(ms), work);
  }

  #goAlone(request: LayerAcquire): LayerReply {
    if (this.#failure && this.#options.onLockFailure === 'fail') throw this.#failure;
    return { kind: 'granted', hold: uncoordinatedHold(request) };
  }

  #held(): readonly HeldProgress[] {
    this.#isBusy = false;
    return this.#book.held();
  }

  async #askForPlacesAgain(): Promise<void> {
    await Promise.all(this.#book.waiting().map((pending) => this.#askForPlaceAgain(pending)));
  }

  async #askForPlaceAgain(pending: PendingRequest): Promise<void> {
    const reply = await this.#untilReached(undefined, (attempt) => this.#askOnce(pending, attempt));
    if (reply.kind === 'queued') pending.push({ ...reply, kind: 'moved' });
    else if (reply.kind === 'granted') pending.push({ kind: 'granted', waiters: 0 });
    else pending.push({ kind: 'ended' });
  }

  #onLost(error: LayerpullError): void {
    this.#failure = error;
    this.#options.onWarning?.(error);
    this.#book.endWaits();
  }
}

function outOfReach(ms: number): LayerpullError {
  return new LayerpullError('lock_unreachable', `the lock server did not answer within ${ms / 1_000} s`, {
    hint: 'see whether it runs and can be reached from here',
  });
}
