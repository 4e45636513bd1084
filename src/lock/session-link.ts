import { withDeadline } from '../core/abort.ts';
import type { Clock } from '../core/clock.ts';
import { isLayerpullError, LayerpullError, toLayerpullError } from '../core/errors.ts';
import type { HeldProgress, Locks, OpenSession, SessionEvent, SessionSnapshot } from './locks.ts';

export interface LinkParts {
  readonly locks: Locks;
  readonly open: OpenSession & { readonly sessionId: NonNullable<OpenSession['sessionId']> };
  readonly clock: Clock;
  readonly bounds: LinkBounds;
  readonly held: () => readonly HeldProgress[];
  /** Whether bytes flowed since the last heartbeat. */
  readonly isBusy: () => boolean;
  readonly onEvent: (event: SessionEvent) => void;
  /** How the server sees this session's places. */
  readonly onSnapshot: (snapshot: SessionSnapshot) => void;
  /** The answer to a heartbeat that listed `sent`. */
  readonly onHeldAnswer: (snapshot: SessionSnapshot, sent: readonly HeldProgress[]) => void;
  /** The server had forgotten the session and has taken it up again: places must be asked for once more. */
  readonly onReopened: () => Promise<void>;
  /** Contact failed for as long as the bounds allow; told once until contact is made again. */
  readonly onLost: (error: LayerpullError) => void;
}

/** Milliseconds, each with the reason for its default. */
export interface LinkBounds {
  /** First contact, in all: a pull must not stand at the door. Default 3,000. */
  readonly firstContactMs: number;
  /** Out of reach for this long ends coordination. Default 5,000. */
  readonly outOfReachMs: number;
  /** One heartbeat; shorter than the interval between two. Default 4,000. */
  readonly heartbeatTimeoutMs: number;
  /** Between heartbeats while bytes flow, so that waiters see progress. Default 1,000. */
  readonly busyHeartbeatMs: number;
  /** Between heartbeats while there is no stream: the polling fallback. Default 500. */
  readonly pollMs: number;
}

export const defaultLinkBounds: LinkBounds = {
  firstContactMs: 3_000,
  outOfReachMs: 5_000,
  heartbeatTimeoutMs: 4_000,
  busyHeartbeatMs: 1_000,
  pollMs: 500,
};

/** The line to the lock server: opens the session on first use, then keeps it by a stream and heartbeats. */
export class SessionLink {
  readonly #parts: LinkParts;
  readonly #closing = new AbortController();
  #phase: 'new' | 'online' | 'lost' = 'new';
  #heartbeatMs = 5_000;
  #claimMs = 10_000;
  #streamIsUp = false;
  #outSinceMs: number | undefined;
  #opening: Promise<void> | undefined;
  #beating: Promise<void> | undefined;
  #closed: Promise<void> | undefined;
  #loops: Promise<unknown> = Promise.resolve();

  constructor(parts: LinkParts) {
    this.#parts = parts;
  }

  get isOnline(): boolean {
    return this.#phase === 'online';
  }

  /** Milliseconds a grant waits to be claimed, as the server says. */
  get claimMs(): number {
    return this.#claimMs;
  }

  /** Opens the session if need be. Answers whether the server is in reach. */
  async ready(): Promise<boolean> {
    this.#opening ??= this.#openOnce();
    await this.#opening;
    return this.isOnline;
  }

  /** Takes the session up again at a server that does not know it, with all that it holds. */
  async reopen(): Promise<void> {
    const { locks, open, bounds, onReopened } = this.#parts;
    await this.#call(bounds.firstContactMs, (signal) => locks.openSession(open, signal));
    await this.#renew();
    await onReopened();
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
    const { locks, open, bounds } = this.#parts;
    try {
      const info = await this.#call(bounds.firstContactMs, (signal) => locks.openSession(open, signal));
      this.#heartbeatMs = info.heartbeatMs;
      this.#claimMs = info.claimMs;
      this.#inContact();
    } catch (error) {
      this.lose(error);
    }
    this.#loops = Promise.all([this.#keepBeating(), this.#keepStream()]);
  }

  async #closeOnce(): Promise<void> {
    const { locks, open, clock } = this.#parts;
    const wasOnline = this.isOnline;
    this.#closing.abort(new LayerpullError('lock_lost', 'the session is closed'));
    await this.#opening;
    await this.#loops;
    if (!wasOnline) return;
    const bye = (signal: AbortSignal) => locks.closeSession(open.sessionId, signal);
    await withDeadline(clock, 1_000, undefined, () => silence(1_000), bye).catch(() => {});
  }

  async #keepBeating(): Promise<void> {
    const { clock, bounds } = this.#parts;
    let lastMs = clock.now();
    while (await this.#pause(bounds.pollMs)) {
      if (clock.now() - lastMs < this.#beatEveryMs()) continue;
      await this.#beat();
      lastMs = clock.now();
    }
  }

  async #keepStream(): Promise<void> {
    do {
      await this.#readStream();
      this.#streamIsUp = false;
      if (this.#closing.signal.aborted) return;
      await this.#beat();
    } while (await this.#pause(this.#parts.bounds.pollMs));
  }

  async #readStream(): Promise<void> {
    const { locks, open, onEvent } = this.#parts;
    try {
      for await (const event of locks.watch(open.sessionId, this.#closing.signal)) {
        this.#streamIsUp = true;
        this.#inContact();
        onEvent(event);
      }
    } catch {
      // A broken stream says nothing by itself: the heartbeat that follows finds out why.
    }
  }

  #beatEveryMs(): number {
    const { bounds, isBusy } = this.#parts;
    if (this.#phase === 'lost') return this.#heartbeatMs;
    if (!this.#streamIsUp || this.#outSinceMs !== undefined) return bounds.pollMs;
    return isBusy() ? bounds.busyHeartbeatMs : this.#heartbeatMs;
  }

  #beat(): Promise<void> {
    this.#beating ??= this.#beatOnce().finally(() => {
      this.#beating = undefined;
    });
    return this.#beating;
  }

  async #beatOnce(): Promise<void> {
    const { clock, bounds } = this.#parts;
    const startedMs = clock.now();
    try {
      await this.#renewOrReopen();
    } catch (error) {
      this.#outSinceMs ??= startedMs;
      if (clock.now() - this.#outSinceMs >= bounds.outOfReachMs) this.lose(error);
    }
  }

  async #renewOrReopen(): Promise<void> {
    try {
      this.#parts.onSnapshot(await this.#renew());
    } catch (error) {
      if (!isUnknownSession(error)) throw error;
      await this.reopen();
    }
  }

  async #renew(): Promise<SessionSnapshot> {
    const { locks, open, bounds, held, onHeldAnswer } = this.#parts;
    const sent = held();
    const snapshot = await this.#call(bounds.heartbeatTimeoutMs, (signal) =>
      locks.renew(open.sessionId, { held: sent }, signal),
    );
    this.#inContact();
    onHeldAnswer(snapshot, sent);
    return snapshot;
  }

  #inContact(): void {
    this.#phase = 'online';
    this.#outSinceMs = undefined;
  }

  async #call<T>(ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return await withDeadline(this.#parts.clock, ms, this.#closing.signal, () => silence(ms), work);
  }

  /** Answers false when the link was closed meanwhile. */
  async #pause(ms: number): Promise<boolean> {
    await this.#parts.clock.sleep(ms, this.#closing.signal).catch(() => {});
    return !this.#closing.signal.aborted;
  }
}

function silence(ms: number): LayerpullError {
  return new LayerpullError('lock_unreachable', `the lock server did not answer within ${ms / 1_000} s`, {
    hint: 'see whether it runs and can be reached from here',
  });
}

export function isUnknownSession(error: unknown): boolean {
  return isLayerpullError(error) && error.code === 'session_unknown';
}
