import { withDeadline } from '../core/abort.ts';
import { LayerpullError, toLayerpullError } from '../core/errors.ts';
import type { SessionInfo, SessionSnapshot } from './locks.ts';
import { Bell } from './session-bell.ts';
import type { Asked } from './session-book.ts';
import { firstContact, isUnknownSession, type LinkParts } from './session-link-parts.ts';
import { pauseBeforeStream, StreamMoved } from './stream-moved.ts';

/** The line to the lock server: opens the session on first use, then keeps it by a stream and heartbeats. */
export class SessionLink {
  readonly #parts: LinkParts;
  readonly #closing = new AbortController();
  readonly #bell = new Bell();
  #phase: 'new' | 'online' | 'lost' = 'new';
  #heartbeatMs = 5_000;
  #claimMs = 10_000;
  #ttlMs = 15_000;
  /** When the last request was sent that the server acknowledged and that keeps the session. */
  #ackedMs = Number.NEGATIVE_INFINITY;
  #streamIsUp = false;
  /** Bytes flowed since the last heartbeat. */
  #isBusy = false;
  #outSinceMs: number | undefined;
  /** How often the session was opened again. */
  #reopenings = 0;
  #opening: Promise<void> | undefined;
  #reopening: Promise<void> | undefined;
  #closed: Promise<void> | undefined;
  #loops: Promise<unknown> = Promise.resolve();

  constructor(parts: LinkParts) {
    this.#parts = parts;
  }

  get isOnline(): boolean {
    return this.#phase === 'online' && !this.#closing.signal.aborted;
  }

  /** Whether what the server said last is all that is to be known. */
  get isInContact(): boolean {
    return this.isOnline && this.#outSinceMs === undefined;
  }

  /** Aborts when the link is closed. */
  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  /** Milliseconds a grant waits to be claimed, as the server says. */
  get claimMs(): number {
    return this.#claimMs;
  }

  /**
   * Whether the server may take the session for lost soon: one second before its TTL since the last acknowledgement,
   * or a quarter of a TTL below four seconds.
   */
  isOutOfTouch(): boolean {
    const marginMs = Math.min(1_000, this.#ttlMs / 4);
    return this.#parts.clock.now() - this.#ackedMs >= this.#ttlMs - marginMs;
  }

  /** Bytes flow: heartbeats tell of it. */
  noteProgress(): void {
    this.#isBusy = true;
  }

  /** Whether the server acknowledged a heartbeat that was sent after `sinceMs`. */
  isHeardSince(sinceMs: number): boolean {
    return this.#ackedMs > sinceMs;
  }

  /** Sends a heartbeat at once, where the server is in reach. Resolves when it was answered or failed. */
  async tellNow(): Promise<void> {
    await this.#opening;
    if (this.isOnline) await this.#bell.ring();
  }

  /** Opens the session if need be. Answers whether the server is in reach. */
  async ready(): Promise<boolean> {
    this.#opening ??= this.#openOnce();
    await this.#opening;
    return this.isOnline;
  }

  /** Takes the session up again at a server that does not know it, with all that it holds. */
  async reopen(): Promise<void> {
    this.#closing.signal.throwIfAborted();
    this.#reopening ??= this.#reopenOnce().finally(() => {
      this.#reopening = undefined;
    });
    await this.#reopening;
  }

  /** Contact failed for good, here or in a request outside the link. Told once until contact is made again. */
  lose(cause: unknown): void {
    if (this.#closing.signal.aborted || this.#phase === 'lost') return;
    this.#phase = 'lost';
    this.#parts.onLost(toLayerpullError(cause));
  }

  /** Ends the loops and the session. Waits at most a second for the server; idempotent, never throws. */
  close(): Promise<void> {
    this.#closed ??= this.#closeOnce();
    return this.#closed;
  }

  async #openOnce(): Promise<void> {
    try {
      await this.#open();
      this.#inContact();
    } catch (error) {
      this.lose(error);
    }
    this.#loops = Promise.all([this.#keepBeating(), this.#keepStream()]);
  }

  async #open(): Promise<void> {
    const sentMs = this.#parts.clock.now();
    const info: SessionInfo = await firstContact(this.#parts, this.closed);
    this.#heartbeatMs = info.heartbeatMs;
    this.#claimMs = info.claimMs;
    this.#ttlMs = info.ttlMs;
    this.#ackedMs = sentMs;
  }

  async #reopenOnce(): Promise<void> {
    this.#reopenings += 1;
    await this.#open();
    this.#parts.share.retell();
    await this.#renew();
    await this.#parts.onReopened();
  }

  async #closeOnce(): Promise<void> {
    const { locks, open, clock, silence } = this.#parts;
    const wasOnline = this.isOnline;
    this.#closing.abort(new LayerpullError('lock_lost', 'the session is closed'));
    await this.#opening;
    await this.#loops;
    await this.#reopening?.catch(() => {});
    if (!wasOnline) return;
    const bye = (signal: AbortSignal) => locks.closeSession(open.sessionId, signal);
    await withDeadline(clock, 1_000, undefined, () => silence(1_000), bye).catch(() => {});
  }

  async #keepBeating(): Promise<void> {
    const { clock, bounds, random } = this.#parts;
    let lastMs = clock.now();
    const { signal } = this.#closing;
    while (!signal.aborted) {
      // The jitter keeps the clients of one server apart.
      await this.#bell.rest(clock, bounds.pollMs * (0.5 + random()), signal);
      const isDue = this.#mustTell() || clock.now() - lastMs >= this.#beatEveryMs();
      if (!isDue || signal.aborted) continue;
      lastMs = clock.now();
      await this.#tellAll();
    }
    this.#bell.answer()();
  }

  /** What is too long for one heartbeat goes on with the next. */
  async #tellAll(): Promise<void> {
    for (let goesOn = true; goesOn; ) {
      const answered = this.#bell.answer();
      goesOn = (await this.#beat()) && this.#parts.share.hasNews && !this.#closing.signal.aborted;
      answered();
    }
  }

  #mustTell(): boolean {
    return this.#bell.isRung || this.#isPolling() || (this.isOnline && this.#parts.share.hasNews);
  }

  /** Opens it again whenever it breaks; one that breaks soon and often less and less often. */
  async #keepStream(): Promise<void> {
    const { clock, bounds, random } = this.#parts;
    let failures = 0;
    let pauseMs: number;
    do {
      await this.#reopening?.catch(() => {});
      const startedMs = clock.now();
      const hasMoved = await this.#readStream();
      this.#streamIsUp = false;
      failures = clock.now() - startedMs < bounds.maxReconnectMs ? failures + 1 : 1;
      pauseMs = pauseBeforeStream({ failures, hasMoved, bounds, random });
    } while (await this.#pause(pauseMs));
  }

  /** Answers whether it goes on at another server. */
  async #readStream(): Promise<boolean> {
    const { locks, open, onEvent, share } = this.#parts;
    const moment = this.#moment();
    try {
      for await (const event of locks.watch(open.sessionId, this.#closing.signal)) {
        // It may lead to another server than the one before it.
        if (!this.#streamIsUp) share.retell();
        this.#streamIsUp = true;
        this.#inContact();
        if (event.kind === 'snapshot') share.heard(event);
        onEvent(event, moment());
      }
      return false;
    } catch (error) {
      // A broken stream says nothing by itself: the heartbeat that follows finds out why.
      return error instanceof StreamMoved;
    }
  }

  /** Without a stream, heartbeats bring the news. */
  #isPolling(): boolean {
    return this.#phase !== 'lost' && (!this.#streamIsUp || this.#outSinceMs !== undefined);
  }

  #beatEveryMs(): number {
    // Whoever drains waits for others to be done with it.
    const isTelling = this.#phase !== 'lost' && (this.#isBusy || this.#parts.share.isDraining);
    return isTelling ? this.#parts.bounds.busyHeartbeatMs : this.#heartbeatMs;
  }

  /** Answers whether the server heard it as it was sent. */
  async #beat(): Promise<boolean> {
    const { clock, bounds, onSnapshot } = this.#parts;
    const startedMs = clock.now();
    const moment = this.#moment();
    try {
      const snapshot = await this.#renew();
      onSnapshot(snapshot, moment());
      return true;
    } catch (error) {
      if (this.#closing.signal.aborted) return false;
      const failure = isUnknownSession(error) ? await this.reopen().catch((reason) => reason) : error;
      if (failure === undefined) return false;
      this.#outSinceMs ??= startedMs;
      if (clock.now() - this.#outSinceMs >= bounds.outOfReachMs) this.lose(failure);
      return false;
    }
  }

  async #renew(): Promise<SessionSnapshot> {
    const { locks, open, asked, onHeldAnswer, clock, share } = this.#parts;
    const sent = asked();
    const news = share.news();
    const sentMs = clock.now();
    this.#isBusy = false;
    const snapshot = await this.#call(this.#beatTimeoutMs(), (signal) =>
      locks.renew(open.sessionId, { held: sent.held, ...news }, signal),
    );
    this.#ackedMs = sentMs;
    share.told(news);
    share.heard(snapshot);
    this.#inContact();
    onHeldAnswer(snapshot, sent);
    return snapshot;
  }

  /** A silent server is out of reach when the bound says so, and not one whole heartbeat later. */
  #beatTimeoutMs(): number {
    const { clock, bounds } = this.#parts;
    if (this.#phase === 'lost' || this.#outSinceMs === undefined) return bounds.heartbeatTimeoutMs;
    const leftMs = this.#outSinceMs + bounds.outOfReachMs - clock.now();
    return Math.min(bounds.heartbeatTimeoutMs, Math.max(leftMs, bounds.pollMs));
  }

  /**
   * How things are at the moment of a question. If the session was opened again before the answer came, its places may
   * have been missing at the server, and the answer tells nothing about them.
   */
  #moment(): () => Asked {
    const asked = this.#parts.asked();
    const reopenings = this.#reopenings;
    return () => {
      const isSame = this.#reopenings === reopenings && this.#reopening === undefined;
      return isSame ? asked : { ...asked, waiting: new Set() };
    };
  }

  /** A server that was out of reach may have started again, and what it kept is not all that it was told. */
  #inContact(): void {
    if (this.#outSinceMs !== undefined || this.#phase === 'lost') this.#parts.share.retell();
    this.#phase = 'online';
    this.#outSinceMs = undefined;
  }

  async #call<T>(ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.#closing.signal.throwIfAborted();
    const { clock, silence } = this.#parts;
    return await withDeadline(clock, ms, this.#closing.signal, () => silence(ms), work);
  }

  /** Answers false when the link was closed meanwhile. */
  async #pause(ms: number): Promise<boolean> {
    await this.#parts.clock.sleep(ms, this.#closing.signal).catch(() => {});
    return !this.#closing.signal.aborted;
  }
}
