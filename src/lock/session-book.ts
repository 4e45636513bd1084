import { randomUUID } from 'node:crypto';
import { type Deferred, deferred } from '../core/abort.ts';
import { type RequestId, type Token, toRequestId } from '../core/ids.ts';
import { HolderRate, type HolderRateOptions } from './holder-rate.ts';
import type {
  GrantView,
  HeldProgress,
  LayerAcquire,
  PlaceView,
  ResourceRequest,
  SessionEvent,
  SessionSnapshot,
} from './locks.ts';
import type { ActiveHold } from './session-holds.ts';
import { createPendingRequest, type PendingRequest } from './session-places.ts';

/** What is asked for: one session uses it once at a time. */
export type Key = Pick<ResourceRequest, 'type' | 'resourceId'>;

export interface BookParts {
  readonly now: () => number;
  readonly rate: HolderRateOptions;
  /** The server gives this session a lock (with `token`) or a place that nobody here waits for any more. */
  readonly onStray: (key: Key, token?: Token) => void;
  /** The holder in front of a waiter is too slow: `rate` in bytes per second. */
  readonly onSlow: (pending: PendingRequest, rate: number) => void;
}

/** How the session saw things when it asked the server for its view: only what was so then can have changed since. */
export interface Asked {
  readonly held: readonly HeldProgress[];
  readonly waiting: ReadonlySet<PendingRequest>;
  /** What it used, or was about to. */
  readonly keys: ReadonlySet<string>;
}

/** What a session does with a key: it asks or waits, holds, or goes on without a lock. */
type Use = { readonly freed: Deferred<void> } & (
  | { readonly kind: 'pending'; readonly pending: PendingRequest }
  | { readonly kind: 'held'; readonly active: ActiveHold }
  | { readonly kind: 'alone' }
);

/** Requests that were answered are asked again under their ids, at most so many: the oldest are forgotten first. */
const maxAnswered = 1_000;

/** What one session holds and waits for, kept up to date by what the server tells. */
export class SessionBook {
  readonly #parts: BookParts;
  readonly #uses = new Map<string, Use>();
  readonly #answered = new Map<string, RequestId>();

  constructor(parts: BookParts) {
    this.#parts = parts;
  }

  /** A new request, or the one that was called; undefined while the session uses the key already. */
  begin(request: LayerAcquire): PendingRequest | undefined {
    const use = this.#uses.get(keyOf(request));
    if (use?.kind === 'pending' && use.pending.stage === 'called') {
      use.pending.askAgain();
      return use.pending;
    }
    if (use) return undefined;
    const requestId = this.#answered.get(keyOf(request)) ?? toRequestId(randomUUID());
    this.#answered.delete(keyOf(request));
    const pending = createPendingRequest({ request, requestId, rate: this.#rateFor(request) });
    this.#uses.set(keyOf(request), { kind: 'pending', pending, freed: deferred() });
    return pending;
  }

  /** Only a pull may go on alone: the store keeps two downloads apart. */
  #rateFor({ type }: LayerAcquire): HolderRate {
    const { rate } = this.#parts;
    return new HolderRate(type === 'pull' ? rate : { ...rate, minRateBytesPerSecond: 0 });
  }

  /** Resolves when the session has done with what it uses the key for now. */
  async freed(key: Key): Promise<void> {
    await this.#uses.get(keyOf(key))?.freed.promise;
  }

  /** With the server's knowledge, that is: not alone. */
  isUsed(key: Key): boolean {
    const use = this.#uses.get(keyOf(key));
    return use !== undefined && use.kind !== 'alone';
  }

  isPending(pending: PendingRequest): boolean {
    const use = this.#uses.get(keyOf(pending.request));
    return use?.kind === 'pending' && use.pending === pending;
  }

  /** The request is over. Answers whether it was still under way. */
  forget(pending: PendingRequest): boolean {
    if (!this.isPending(pending)) return false;
    this.#free(pending.request);
    return true;
  }

  /** Its wait is over; whoever asks for the same again asks the same question. */
  answered(pending: PendingRequest): void {
    if (!this.forget(pending)) return;
    this.#answered.set(keyOf(pending.request), pending.requestId);
    const [oldest] = this.#answered.keys();
    if (this.#answered.size > maxAnswered && oldest !== undefined) this.#answered.delete(oldest);
  }

  /** A request came to its lock. */
  hold(key: Key, active: ActiveHold): void {
    this.#change(key, { kind: 'held', active });
  }

  endHold(key: Key, active: ActiveHold): void {
    const use = this.#uses.get(keyOf(key));
    if (use?.kind === 'held' && use.active === active) this.#free(key);
  }

  goAlone(key: Key): void {
    this.#change(key, { kind: 'alone' });
  }

  endAlone(key: Key): void {
    if (this.#uses.get(keyOf(key))?.kind === 'alone') this.#free(key);
  }

  /** Requests that have a place, or had one until they were called. */
  waiting(): readonly PendingRequest[] {
    return [...this.#uses.values()].flatMap((use) =>
      use.kind === 'pending' && use.pending.stage !== 'asking' ? [use.pending] : [],
    );
  }

  asked(): Asked {
    const held: HeldProgress[] = [];
    const keys = new Set<string>();
    for (const [key, use] of this.#uses) {
      if (use.kind === 'held') held.push(use.active.view());
      if (use.kind !== 'alone') keys.add(key);
    }
    return { held, keys, waiting: new Set(this.waiting()) };
  }

  /** Wakes every waiter: what they wait for will not be told any more. */
  endWaits(): void {
    for (const use of this.#uses.values()) if (use.kind === 'pending') use.pending.push({ kind: 'ended' });
  }

  /** The session ends: what it holds is another's from here on, and whoever waits is woken. */
  close(): void {
    this.endWaits();
    for (const use of [...this.#uses.values()]) {
      use.freed.resolve();
      if (use.kind === 'held') this.#revoke(use.active.view(), use.active.token, 'the session is closed');
    }
  }

  onEvent(event: SessionEvent, asked: Asked): void {
    switch (event.kind) {
      case 'snapshot':
        this.onSnapshot(event, asked);
        break;
      case 'granted':
        this.#onGranted(event);
        break;
      case 'queued':
        this.#onQueued(event);
        break;
      case 'revoked':
        this.#onRevoked(event);
        break;
      case 'source':
        this.#onSource(event);
        break;
      case 'completed':
      case 'failed':
        this.#pendingAt(event)?.push({ kind: 'ended' });
        break;
      case 'ping':
        break;
    }
  }

  /** How the server sees this session, in answer to a question of which `asked` is the moment. */
  onSnapshot({ granted, queued }: SessionSnapshot, asked: Asked): void {
    const told = new Set([...granted, ...queued].map(keyOf));
    for (const grant of granted) {
      if (this.isUsed(grant)) this.#onGranted(grant);
      else if (!asked.keys.has(keyOf(grant))) this.#parts.onStray(grant, grant.token);
    }
    for (const place of queued) {
      if (this.isUsed(place)) this.#onQueued(place);
      else if (!asked.keys.has(keyOf(place))) this.#parts.onStray(place);
    }
    // Whoever waited and is in neither list was answered while nobody listened.
    for (const pending of asked.waiting)
      if (!told.has(keyOf(pending.request))) pending.push({ kind: 'ended' });
  }

  /** A lock that was listed in a heartbeat and is not in the answer belongs to somebody else. */
  onHeldAnswer(snapshot: SessionSnapshot, { held }: Asked): void {
    const tokens = new Set(snapshot.granted.map((grant) => grant.token));
    for (const one of held) {
      if (!tokens.has(one.token)) this.#revoke(one, one.token, 'the lock server gave it to another');
    }
  }

  #onGranted(grant: GrantView): void {
    const use = this.#uses.get(keyOf(grant));
    if (use?.kind === 'pending') use.pending.offer(grant.token, grant.waiters);
    else if (use?.kind !== 'held' || use.active.token < grant.token) this.#parts.onStray(grant, grant.token);
    else if (use.active.token === grant.token) use.active.waiters = grant.waiters;
  }

  #onQueued(place: PlaceView): void {
    const pending = this.#pendingAt(place);
    if (!pending) return;
    const { position, holder, progress } = place;
    pending.push({ kind: 'moved', position, ...(holder ? { holder } : {}) });
    if (!holder) pending.rate.reset();
    if (pending.stage !== 'waiting' || !holder || !progress) return;
    const sample = { nowMs: this.#parts.now(), holder: holder.sessionId ?? holder.nodeId, ...progress };
    const rate = pending.rate.slowRate(sample);
    if (rate !== undefined) this.#parts.onSlow(pending, rate);
  }

  /** Also a grant is revoked when it is not claimed in time. */
  #onRevoked({ type, resourceId, token, reason }: Extract<SessionEvent, { kind: 'revoked' }>): void {
    const key = { type, resourceId };
    this.#revoke(key, token, reason);
    const pending = this.#pendingAt(key);
    if (pending?.offered === token) pending.push({ kind: 'ended' });
  }

  #onSource({ type, resourceId, token, source }: Extract<SessionEvent, { kind: 'source' }>): void {
    const use = this.#uses.get(keyOf({ type, resourceId }));
    if (use?.kind === 'pending') use.pending.lead(token, source);
    if (use?.kind === 'held' && use.active.token === token) use.active.move(source);
  }

  /** What its owner has ended already is not taken from anybody. */
  #revoke(key: Key, token: Token, reason: string): void {
    const use = this.#uses.get(keyOf(key));
    if (use?.kind !== 'held' || use.active.token !== token || use.active.isEnding()) return;
    this.#free(key);
    use.active.revoke(reason);
  }

  #pendingAt(key: Key): PendingRequest | undefined {
    const use = this.#uses.get(keyOf(key));
    return use?.kind === 'pending' ? use.pending : undefined;
  }

  #change(key: Key, to: { kind: 'held'; active: ActiveHold } | { kind: 'alone' }): void {
    const freed = this.#uses.get(keyOf(key))?.freed ?? deferred<void>();
    this.#uses.set(keyOf(key), { ...to, freed });
  }

  #free(key: Key): void {
    this.#uses.get(keyOf(key))?.freed.resolve();
    this.#uses.delete(keyOf(key));
  }
}

function keyOf({ type, resourceId }: Key): string {
  return `${type} ${resourceId}`;
}
