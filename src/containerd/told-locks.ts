import type { Clock } from '../core/clock.ts';
import { messageOf } from '../core/errors.ts';
import type { SessionId } from '../core/ids.ts';
import type {
  Hold,
  HolderView,
  LayerAcquire,
  LayerReply,
  Place,
  PlaceChange,
  SessionLocks,
  Source,
} from '../lock/locks.ts';

/** Says one thing that happened to a blob. */
export type Tell = (message: string, fields?: object) => void;

/** How one blob fares with the lock service, each step told as it is taken. For one blob at a time. */
export class ToldLocks implements SessionLocks {
  readonly #locks: SessionLocks;
  readonly #clock: Clock;
  readonly #tell: Tell;
  #waitingSinceMs: number | undefined;
  /** The lock waits to be claimed: the next question is no new one. */
  #isCalled = false;

  constructor(locks: SessionLocks, clock: Clock, tell: Tell) {
    this.#locks = locks;
    this.#clock = clock;
    this.#tell = tell;
  }

  get sessionId(): SessionId {
    return this.#locks.sessionId;
  }

  get claimMs(): number {
    return this.#locks.claimMs;
  }

  async acquire(request: LayerAcquire, signal: AbortSignal): Promise<LayerReply> {
    const { total: size, force = false } = request;
    const isClaim = this.#isCalled;
    this.#isCalled = false;
    if (!isClaim) this.#tell('lock requested', { size, ...(force ? { force } : {}) });
    const reply = await this.#locks.acquire(request, signal);
    switch (reply.kind) {
      case 'granted':
        return { kind: 'granted', hold: this.#granted(reply.hold, isClaim) };
      case 'queued':
        return { kind: 'queued', place: this.#queued(reply.place) };
      case 'refused':
        this.#tell('lock refused', { reason: reply.reason, error: reply.message });
        return reply;
      case 'skip':
        return reply;
    }
  }

  #granted(hold: Hold, isClaim: boolean): Hold {
    const { token } = hold;
    const sinceMs = this.#waitingSinceMs;
    this.#waitingSinceMs = undefined;
    const waited = isClaim && sinceMs !== undefined ? { waitedMs: this.#sinceMs(sinceMs) } : {};
    if (token === undefined) this.#tell('going on without a lock', waited);
    else
      this.#tell(isClaim ? 'granted after wait' : 'lock granted', {
        token,
        ...fieldsOf(hold.source),
        ...waited,
      });
    return this.#toldHold(hold);
  }

  #toldHold(hold: Hold): Hold {
    const { resourceId, token, source, guide } = hold;
    const sinceMs = this.#clock.now();
    const under = () => ({ ...(token === undefined ? {} : { token }), heldMs: this.#sinceMs(sinceMs) });
    return {
      ...{ resourceId, source, guide },
      ...(token === undefined ? {} : { token }),
      get revoked() {
        return hold.revoked;
      },
      progress: (offset, total) => hold.progress(offset, total),
      release: async (outcome) => {
        await hold.release(outcome);
        this.#tell('released', { ...under(), ...outcome });
      },
      decline: async () => {
        await hold.decline();
        this.#tell('declined', { ...under(), reason: 'no writer came' });
      },
    };
  }

  #queued(place: Place): Place {
    const { position, holder } = place;
    this.#waitingSinceMs ??= this.#clock.now();
    this.#tellPlace(position, holder);
    return {
      position,
      ...(holder ? { holder } : {}),
      next: async (signal) => {
        try {
          return this.#changed(await place.next(signal));
        } catch (error) {
          this.#waitingSinceMs = undefined;
          this.#tell('left the queue', { reason: messageOf(error) });
          throw error;
        }
      },
      decline: async () => {
        this.#isCalled = false;
        await place.decline();
        this.#tell('declined', { reason: 'no room to use it' });
      },
    };
  }

  #changed(change: PlaceChange): PlaceChange {
    switch (change.kind) {
      case 'moved':
        this.#tellPlace(change.position, change.holder);
        return change;
      case 'granted':
        this.#isCalled = true;
        return change;
      case 'ended':
        return change;
      case 'left':
        return { kind: 'left', hold: this.#granted(change.hold, true) };
    }
  }

  #tellPlace(position: number, holder: HolderView | undefined): void {
    this.#tell('queued', { position, ...(holder ? { holder: holder.nodeId } : {}) });
  }

  #sinceMs(ms: number): number {
    return Math.round(this.#clock.now() - ms);
  }
}

function fieldsOf(source: Source): object {
  return source.kind === 'registry' ? { source: 'registry' } : { source: source.url, peer: source.nodeId };
}
