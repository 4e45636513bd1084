import { abortable, type Deferred, deferred } from '../core/abort.ts';
import type { Clock } from '../core/clock.ts';
import type { Digest } from '../core/digest.ts';
import { LayerpullError, messageOf } from '../core/errors.ts';
import type { SessionId, Token } from '../core/ids.ts';
import type {
  Hold,
  HolderView,
  LayerAcquire,
  LayerReply,
  OperationType,
  Outcome,
  Place,
  SessionLocks,
  Source,
  SourceGuide,
} from './locks.ts';
import { RelayGuide } from './relay-guide.ts';

/** One grant of the local service, and the session that got it. */
export interface LocalGrant {
  readonly type: OperationType;
  readonly resourceId: Digest;
  readonly sessionId: SessionId;
  readonly token: Token;
}

export interface LegParts {
  readonly upstream: SessionLocks;
  readonly clock: Clock;
  /** Whether the own store has the blob. */
  readonly hasBlob: (digest: Digest) => Promise<boolean>;
  /** The grant is complete, after its session was told to wait. */
  readonly onReady: (leg: Leg) => void;
  /** The lock server names another source unasked. */
  readonly onMove: (leg: Leg, source: Source) => void;
  /** The lock server refuses, or has taken the lock back: the local grant is worth nothing any more. */
  readonly onLost: (leg: Leg, loss: Loss) => void;
}

export type Loss =
  | { readonly kind: 'refused'; readonly reason: 'content' | 'taken'; readonly message: string }
  | { readonly kind: 'revoked'; readonly message: string };

export type LegState =
  /** Somebody else of the domain may be in front. */
  | { readonly kind: 'pending'; readonly position: number; readonly holder?: HolderView }
  | { readonly kind: 'ready' }
  | { readonly kind: 'lost'; readonly loss: Loss }
  | { readonly kind: 'ended' };

/** How long an answer waits for the lock server: less than a session waits for its answer. */
const answerMs = 1_000;
const fromRegistry: Source = { kind: 'registry' };
const dropped: Outcome = { success: false, error: 'given up', class: 'node' };

/** What one local grant needs from the lock server before it is complete, from asking until it is released. */
export class Leg {
  readonly grant: LocalGrant;
  /** Its session works already, under a grant from before this process was the coordinator. */
  readonly isAsserted: boolean;
  readonly #parts: LegParts;
  readonly #ending = new AbortController();
  readonly #settled: Deferred<void> = deferred();
  #state: LegState = { kind: 'pending', position: 1 };
  #hold: Hold | undefined;
  #guide: RelayGuide | undefined;
  #reached: { readonly offset: number; readonly total: number } | undefined;
  #toldToWait = false;
  /** How its session ended it, where it said so. */
  outcome: Outcome | 'declined' = dropped;

  constructor(grant: LocalGrant, parts: LegParts, options: { readonly isAsserted: boolean }) {
    this.grant = grant;
    this.isAsserted = options.isAsserted;
    this.#parts = parts;
  }

  get state(): LegState {
    return this.#state;
  }

  /** Where to read, as told last. */
  get source(): Source {
    return this.#guide?.source ?? fromRegistry;
  }

  /** The session believes that it waits. */
  get isHidden(): boolean {
    return this.#state.kind === 'pending' && !this.isAsserted;
  }

  /** Asks the lock server. Never throws. */
  start(force: boolean): void {
    void this.#complete(force).catch(() => this.#goAlone());
  }

  /** The state once it is settled, or as it is after a moment. @throws the signal's reason */
  async answer(signal: AbortSignal | undefined): Promise<LegState> {
    const over = new AbortController();
    const ended = signal ? AbortSignal.any([signal, over.signal]) : over.signal;
    const late = this.#parts.clock.sleep(answerMs, over.signal).catch(() => {});
    try {
      await abortable(Promise.race([this.#settled.promise, late]), ended);
    } finally {
      over.abort();
    }
    this.#toldToWait ||= this.isHidden;
    return this.#state;
  }

  /** How far the local holder is, in bytes. */
  progress(offset: number, total: number): void {
    this.#reached = { offset, total };
    this.#hold?.progress(offset, total);
  }

  /** Where to read on, or undefined while that is not known: ask again. */
  async nextSource(...report: Parameters<SourceGuide['next']>): Promise<Source | undefined> {
    if (this.#state.kind !== 'ready') return undefined;
    return this.#guide ? await this.#guide.next(...report) : fromRegistry;
  }

  /** The local grant ended. Idempotent, never throws. */
  async end(): Promise<void> {
    if (this.#ending.signal.aborted) return;
    this.#ending.abort(new LayerpullError('lock_lost', 'the local lock ended'));
    this.#settle({ kind: 'ended' });
    this.#guide?.close();
    await (this.outcome === 'declined' ? this.#hold?.decline() : this.#hold?.release(this.outcome));
  }

  async #complete(force: boolean): Promise<void> {
    const { upstream } = this.#parts;
    const { signal } = this.#ending;
    let request = this.#request(force);
    for (;;) {
      const reply = await this.#grantOf(await upstream.acquire(request, signal));
      if (reply.kind === 'granted') return this.#take(reply.hold);
      if (reply.kind === 'refused') return this.#refuse(reply);
      if (reply.kind === 'skip') {
        if (!(await this.#mustForce())) return this.#ready();
        request = this.#request(true);
      }
    }
  }

  #request(force: boolean): LayerAcquire {
    const { type, resourceId } = this.grant;
    return { type, resourceId, total: this.#reached?.total ?? 0, force };
  }

  /** Waits where it has to. `again`: whatever was waited for is over, so the question is asked once more. */
  async #grantOf(
    reply: LayerReply,
  ): Promise<Exclude<LayerReply, { kind: 'queued' }> | { readonly kind: 'again' }> {
    if (reply.kind !== 'queued') return reply;
    const { place } = reply;
    this.#wait(place);
    for (;;) {
      const change = await place.next(this.#ending.signal);
      if (change.kind === 'moved') this.#wait(change);
      else if (change.kind === 'left') return { kind: 'granted', hold: change.hold };
      else return { kind: 'again' };
    }
  }

  #wait({ position, holder }: Pick<Place, 'position' | 'holder'>): void {
    if (this.#state.kind === 'pending')
      this.#state = { kind: 'pending', position, ...(holder ? { holder } : {}) };
  }

  /** The record of a pull says that the store has what it lacks. */
  async #mustForce(): Promise<boolean> {
    const { type, resourceId } = this.grant;
    return type === 'pull' && !(await this.#parts.hasBlob(resourceId));
  }

  #take(hold: Hold): void {
    if (this.#ending.signal.aborted) {
      void hold.release(dropped);
      return;
    }
    this.#hold = hold;
    if (this.#reached) hold.progress(this.#reached.offset, this.#reached.total);
    const { onMove, clock } = this.#parts;
    this.#guide = new RelayGuide(hold.guide, clock, (source) => onMove(this, source));
    const { revoked } = hold;
    const revoke = () => this.#lose({ kind: 'revoked', message: messageOf(revoked.reason) });
    revoked.addEventListener('abort', revoke, { once: true, signal: this.#ending.signal });
    if (revoked.aborted) revoke();
    else this.#ready();
  }

  #ready(): void {
    if (this.#state.kind === 'ended') return;
    this.#settle({ kind: 'ready' });
    if (this.#toldToWait) this.#parts.onReady(this);
  }

  /** Whoever works already finds out by itself what is wrong with the content. */
  #refuse({ reason, message }: Extract<LayerReply, { kind: 'refused' }>): void {
    // A full lock server never comes this far: the session goes on without it.
    const loss = { reason: reason === 'content' ? 'content' : 'taken', message } as const;
    if (this.isAsserted) this.#ready();
    else this.#lose({ kind: 'refused', ...loss });
  }

  #lose(loss: Loss): void {
    if (this.#state.kind === 'ended') return;
    this.#settle({ kind: 'lost', loss });
    this.#parts.onLost(this, loss);
  }

  /** Never slower than a plain pull: what the lock server's side cannot tell is no reason to wait. */
  #goAlone(): void {
    if (this.#state.kind === 'pending') this.#ready();
  }

  #settle(state: LegState): void {
    this.#state = state;
    this.#settled.resolve();
  }
}
