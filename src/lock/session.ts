import { randomUUID } from 'node:crypto';
import { abortable } from '../core/abort.ts';
import type { Digest } from '../core/digest.ts';
import { isLayerpullError, type LayerpullError } from '../core/errors.ts';
import { type SessionId, toSessionId } from '../core/ids.ts';
import { type Log, silentLog } from '../core/log.ts';
import type { AcquireReply, Hold, LayerAcquire, LayerReply, Place, PlaceChange } from './locks.ts';
import { type Asked, SessionBook } from './session-book.ts';
import { defaultBounds, type SessionBounds } from './session-bounds.ts';
import { SessionCalls } from './session-calls.ts';
import { createGuide } from './session-guides.ts';
import { type ActiveHold, createHold, uncoordinatedHold } from './session-holds.ts';
import { SessionLink } from './session-link.ts';
import { type Silence, silenceOf } from './session-link-parts.ts';
import { type PendingRequest, placeBehindOneself } from './session-places.ts';
import type { LockSession, LockSessionOptions } from './session-port.ts';
import { SessionShare } from './session-share.ts';
import { slowHolder } from './session-warnings.ts';

export type { LockSession, LockSessionOptions } from './session-port.ts';

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
  readonly #bounds: SessionBounds;
  readonly #log: Log;
  readonly #book: SessionBook;
  readonly #link: SessionLink;
  readonly #calls: SessionCalls;
  readonly #share = new SessionShare();
  #failure: LayerpullError | undefined;

  constructor(options: LockSessionOptions) {
    const { locks, clock, nodeId, log = silentLog, random = Math.random } = options;
    const silence = silenceOf(options.serverName);
    this.#options = options;
    this.#log = log;
    this.#bounds = { ...defaultBounds, ...options.bounds };
    this.#book = this.#openBook();
    this.#link = this.#openLink(random, silence);
    this.#calls = new SessionCalls({
      ...{ locks, clock, log, random, nodeId, silence },
      ...{ sessionId: this.sessionId, link: this.#link, outOfReachMs: this.#bounds.outOfReachMs },
    });
  }

  get claimMs(): number {
    return this.#link.claimMs;
  }

  async connect(signal: AbortSignal): Promise<void> {
    this.#throwIfOver(signal);
    const isReady = await abortable(this.#link.ready(), signal);
    if (!isReady && this.#failure) throw this.#failure;
    this.#throwIfOver(signal);
  }

  async acquire(request: LayerAcquire, signal: AbortSignal): Promise<LayerReply> {
    this.#throwIfOver(signal);
    const isReady = await abortable(this.#link.ready(), signal);
    this.#throwIfOver(signal);
    const pending = this.#book.begin(request);
    if (!pending) {
      const holder = { nodeId: this.#options.nodeId, sessionId: this.sessionId };
      return { kind: 'queued', place: placeBehindOneself(holder, () => this.#book.freed(request)) };
    }
    return isReady ? await this.#acquireFromServer(pending, signal) : this.#goAlone(pending);
  }

  announce(add: readonly Digest[], remove: readonly Digest[]): void {
    this.#share.announce({ add, remove });
  }

  async welcome(): Promise<void> {
    this.#share.welcome();
    await this.#link.tellNow();
  }

  async drain(): Promise<void> {
    this.#share.drain();
    await this.#link.tellNow();
  }

  children(): number {
    // Nobody says when they are done.
    return this.#link.isInContact ? this.#share.children : 0;
  }

  async close(): Promise<void> {
    const closing = this.#link.close();
    this.#book.close();
    await closing;
  }

  #throwIfOver(signal: AbortSignal): void {
    signal.throwIfAborted();
    this.#link.closed.throwIfAborted();
  }

  async #acquireFromServer(pending: PendingRequest, signal: AbortSignal): Promise<LayerReply> {
    try {
      return this.#settle(pending, await this.#calls.ask(pending, signal));
    } catch (error) {
      if (!this.#isFailureOfServer(error, signal)) {
        this.#abandon(pending);
        throw error;
      }
      this.#link.lose(error);
      return this.#goAlone(pending);
    }
  }

  #isFailureOfServer(error: unknown, signal: AbortSignal): boolean {
    if (signal.aborted || this.#link.closed.aborted) return false;
    return isLayerpullError(error) && error.origin === 'lock';
  }

  /** Whatever comes of the question, nobody waits for its answer. */
  #abandon(pending: PendingRequest): void {
    if (this.#book.forget(pending)) void this.#calls.decline(pending.request);
  }

  #settle(pending: PendingRequest, reply: AcquireReply): LayerReply {
    switch (reply.kind) {
      case 'granted':
        return { kind: 'granted', hold: this.#hold(pending, reply) };
      case 'queued':
        pending.placed(reply.position, reply.holder);
        return { kind: 'queued', place: this.#place(pending) };
      case 'refused':
        if (reply.reason === 'limit') return this.#goOnPastLimit(pending.request, reply.message);
        this.#book.forget(pending);
        return reply;
      case 'skip':
        this.#book.forget(pending);
        return reply;
    }
  }

  /** A full server is no reason to be slower than a plain pull. */
  #goOnPastLimit(request: LayerAcquire, message: string): LayerReply {
    this.#log.warn(
      { resource: request.resourceId },
      `there is no room for this lock, going on without it: ${message}`,
    );
    return { kind: 'granted', hold: this.#holdAlone(request) };
  }

  #goAlone(pending: PendingRequest): LayerReply {
    if (this.#failure && this.#options.onLockFailure === 'fail') {
      this.#book.forget(pending);
      throw this.#failure;
    }
    return { kind: 'granted', hold: this.#holdAlone(pending.request) };
  }

  #holdAlone(request: LayerAcquire): Hold {
    this.#book.goAlone(request);
    return uncoordinatedHold(request, () => this.#book.endAlone(request));
  }

  #hold(pending: PendingRequest, grant: Extract<AcquireReply, { kind: 'granted' }>): Hold {
    const { request } = pending;
    const { token } = grant;
    const { clock } = this.#options;
    const guide = createGuide({
      source: pending.sourceFor(token) ?? grant.source,
      clock,
      ask: (report, signal) =>
        this.#calls.source({ resourceId: request.resourceId, token, ...report }, signal),
    });
    const active: ActiveHold = createHold({
      ...{ request, token, guide, clock, ...this.#bound(request) },
      onProgress: () => this.#link.noteProgress(),
      onRelease: async (outcome) => {
        const isAwaited = request.type !== 'pull' || active.waiters > 0;
        const tell = () => this.#calls.release(request, token, outcome, isAwaited);
        const ended = this.#endHold(request, active, tell);
        await (isAwaited ? ended : this.#calls.unlessOutOfReach(ended));
      },
      onDecline: () => this.#endHold(request, active, () => this.#calls.decline(request, token)),
    });
    this.#book.hold(request, active);
    return active.hold;
  }

  async #endHold(request: LayerAcquire, active: ActiveHold, tell: () => Promise<void>) {
    if (!active.hold.revoked.aborted) await tell();
    this.#book.endHold(request, active);
  }

  /** A pull out of touch goes on: the store keeps two apart. What changes content that is there stops in time. */
  #bound({ type }: LayerAcquire): { readonly isOutOfTouch?: () => boolean } {
    return type === 'pull' ? {} : { isOutOfTouch: () => this.#link.isOutOfTouch() };
  }

  #place(pending: PendingRequest): Place {
    return {
      position: pending.position,
      ...(pending.holder ? { holder: pending.holder } : {}),
      next: async (signal) => await this.#nextChange(pending, signal),
      decline: () => this.#decline(pending),
    };
  }

  async #nextChange(pending: PendingRequest, signal: AbortSignal): Promise<PlaceChange> {
    try {
      const change = await pending.next(signal);
      if (change.kind === 'ended') this.#book.answered(pending);
      return change;
    } catch (error) {
      await this.#decline(pending);
      throw error;
    }
  }

  async #decline(pending: PendingRequest): Promise<void> {
    const unread = pending.take();
    if (unread?.kind === 'left')
      await unread.hold.release({ success: false, error: 'cancelled', class: 'node' });
    if (this.#book.forget(pending)) await this.#calls.decline(pending.request);
  }

  /** Never slower than a plain pull: whoever waits behind a slow holder goes on by itself. */
  #leaveHolder(pending: PendingRequest, rate: number): void {
    const { request, holder } = pending;
    const warning = slowHolder(request, holder, rate, this.#bounds);
    this.#log.info({ resource: request.resourceId, holder, rate }, warning.message);
    pending.push({ kind: 'left', hold: this.#holdAlone(request) });
    void this.#calls.decline(request);
    this.#options.onWarning?.(warning);
  }

  #openBook(): SessionBook {
    const { clock, onLockFailure } = this.#options;
    const { minRateBytesPerSecond, minRateWindowMs } = this.#bounds;
    const mayLeave = onLockFailure !== 'fail';
    return new SessionBook({
      now: () => clock.now(),
      rate: { minRateBytesPerSecond: mayLeave ? minRateBytesPerSecond : 0, minRateWindowMs },
      onStray: (key, token) => void this.#calls.decline(key, token),
      onSlow: (pending, rate) => this.#leaveHolder(pending, rate),
    });
  }

  #openLink(random: () => number, silence: Silence): SessionLink {
    const { locks, clock, nodeId, storeId, url, zone } = this.#options;
    const book = this.#book;
    return new SessionLink({
      ...{ locks, clock, random, silence, bounds: this.#bounds, share: this.#share },
      open: {
        ...{ sessionId: this.sessionId, nodeId },
        ...(storeId === undefined ? {} : { storeId }),
        ...(url === undefined ? {} : { url }),
        ...(zone === undefined ? {} : { zone }),
      },
      asked: () => book.asked(),
      onEvent: (event, asked: Asked) => book.onEvent(event, asked),
      onSnapshot: (snapshot, asked) => book.onSnapshot(snapshot, asked),
      onHeldAnswer: (snapshot, asked) => book.onHeldAnswer(snapshot, asked),
      onReopened: () => this.#askForPlacesAgain(),
      onLost: (error) => this.#onLost(error),
    });
  }

  async #askForPlacesAgain(): Promise<void> {
    // One that could not be asked for is in no list of the next heartbeat, which wakes it.
    await Promise.allSettled(this.#book.waiting().map((pending) => this.#askForPlaceAgain(pending)));
  }

  async #askForPlaceAgain(pending: PendingRequest): Promise<void> {
    const reply = await this.#calls.askForPlace(pending);
    if (!this.#book.isPending(pending)) return await this.#giveBack(pending.request, reply);
    if (reply.kind === 'queued') pending.push({ ...reply, kind: 'moved' });
    else if (reply.kind === 'granted') pending.offer(reply.token, 0);
    else pending.push({ kind: 'ended' });
  }

  /** The one who waited went away while its place was asked for. Whoever came since has that place now. */
  async #giveBack(request: LayerAcquire, reply: AcquireReply): Promise<void> {
    if (this.#book.isUsed(request)) return;
    if (reply.kind === 'granted') await this.#calls.decline(request, reply.token);
    if (reply.kind === 'queued') await this.#calls.decline(request);
  }

  #onLost(error: LayerpullError): void {
    this.#failure = error;
    this.#options.onWarning?.(error);
    this.#book.endWaits();
  }
}
