import { abortable, type Deferred, deferred } from '../core/abort.ts';
import type { RequestId, Token } from '../core/ids.ts';
import type { HolderRate } from './holder-rate.ts';
import type { HolderView, LayerAcquire, Place, PlaceChange, Source } from './locks.ts';

/** One request for a lock, from the first question until it is answered for good. */
export interface PendingRequest {
  readonly request: LayerAcquire;
  /** Stays the same however often the question is repeated. */
  readonly requestId: RequestId;
  /** How fast whoever is in front brings the bytes. */
  readonly rate: HolderRate;
  /** `asking`: the question is under way; `waiting`: it has a place; `called`: told that the lock waits to be claimed. */
  readonly stage: 'asking' | 'waiting' | 'called';
  /** 0 while none was told. */
  readonly position: number;
  readonly holder: HolderView | undefined;
  /** The lock it was called to; tells its end from that of another. */
  readonly offered: Token | undefined;
  /** Somebody was called and asks: what was told before has no say any more. */
  askAgain(): void;
  /** The place as the answer to the request tells it. */
  placed(position: number, holder: HolderView | undefined): void;
  /** The lock waits to be claimed; so many wait behind it. */
  offer(token: Token, waiters: number): void;
  /** Where to read under the lock of `token`, told before the lock itself. */
  lead(token: Token, source: Source): void;
  /** Where to read under the lock of `token`, if that was told already. */
  sourceFor(token: Token): Source | undefined;
  /** Keeps the newest change for whoever reads next. */
  push(change: PlaceChange): void;
  next(signal: AbortSignal): Promise<PlaceChange>;
  /** The change that nobody has read yet. */
  take(): PlaceChange | undefined;
}

export interface PendingParts {
  readonly request: LayerAcquire;
  readonly requestId: RequestId;
  readonly rate: HolderRate;
}

/** A request that is about to be asked. */
export function createPendingRequest(parts: PendingParts): PendingRequest {
  return new Pending(parts);
}

/**
 * Only the newest change is kept: each one tells how things stand, so an older one has nothing to add. Any other change
 * is not overwritten by a mere move.
 */
class Pending implements PendingRequest {
  readonly request: LayerAcquire;
  readonly requestId: RequestId;
  readonly rate: HolderRate;
  stage: PendingRequest['stage'] = 'asking';
  position = 0;
  holder: HolderView | undefined = undefined;
  offered: Token | undefined = undefined;
  #lead: { readonly token: Token; readonly source: Source } | undefined;
  #newest: PlaceChange | undefined;
  #arrival: Deferred<void> = deferred();

  constructor({ request, requestId, rate }: PendingParts) {
    this.request = request;
    this.requestId = requestId;
    this.rate = rate;
  }

  askAgain(): void {
    this.stage = 'asking';
    this.offered = undefined;
    this.#clear();
  }

  placed(position: number, holder: HolderView | undefined): void {
    this.stage = 'waiting';
    this.position = position;
    this.holder = holder;
    if (this.#newest?.kind === 'moved') this.#clear();
  }

  offer(token: Token, waiters: number): void {
    this.offered = token;
    this.push({ kind: 'granted', waiters });
  }

  lead(token: Token, source: Source): void {
    this.#lead = { token, source };
  }

  sourceFor(token: Token): Source | undefined {
    return this.#lead?.token === token ? this.#lead.source : undefined;
  }

  push(change: PlaceChange): void {
    if (change.kind === 'moved') {
      if (this.#isKnown(change)) return;
      this.position = change.position;
      this.holder = change.holder;
      if (this.#newest && this.#newest.kind !== 'moved') return;
    } else {
      this.rate.reset();
    }
    this.#newest = change;
    this.#arrival.resolve();
  }

  async next(signal: AbortSignal): Promise<PlaceChange> {
    for (;;) {
      const change = this.take();
      if (change?.kind === 'granted') this.stage = 'called';
      if (change) return change;
      await abortable(this.#arrival.promise, signal);
    }
  }

  take(): PlaceChange | undefined {
    const change = this.#newest;
    if (change) this.#clear();
    return change;
  }

  #isKnown({ position, holder }: Extract<PlaceChange, { kind: 'moved' }>): boolean {
    return position === this.position && isSame(holder, this.holder);
  }

  #clear(): void {
    this.#newest = undefined;
    this.#arrival = deferred();
  }
}

/** This very session uses the resource: the wait is over when that is. */
export function placeBehindOneself(holder: HolderView, freed: () => Promise<void>): Place {
  return {
    position: 1,
    holder,
    next: async (signal) => {
      await abortable(freed(), signal);
      return { kind: 'ended' };
    },
    decline: async () => {},
  };
}

/** Older clients have no session, and are known by their node. */
function isSame(one: HolderView | undefined, other: HolderView | undefined): boolean {
  if (one?.nodeId !== other?.nodeId) return false;
  return !one?.sessionId || !other?.sessionId || one.sessionId === other.sessionId;
}
