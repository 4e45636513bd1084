import { randomUUID } from 'node:crypto';
import { toRequestId } from '../core/ids.ts';
import type {
  GrantView,
  HeldProgress,
  LayerAcquire,
  ResourceRequest,
  SessionEvent,
  SessionSnapshot,
} from './locks.ts';
import type { ActiveHold } from './session-holds.ts';
import { createPendingRequest, type PendingRequest } from './session-places.ts';

type Key = Pick<ResourceRequest, 'type' | 'resourceId'>;

/** What one session holds and waits for, kept up to date by what the server tells. */
export class SessionBook {
  readonly #pending = new Map<string, PendingRequest>();
  readonly #holds = new Map<string, ActiveHold>();
  readonly #onStrayGrant: (grant: Key) => void;

  /** `onStrayGrant` hears of a grant that nobody here waits for any more. */
  constructor(onStrayGrant: (grant: Key) => void) {
    this.#onStrayGrant = onStrayGrant;
  }

  /** The request under way for this resource, or a new one. */
  pendingFor(request: LayerAcquire): PendingRequest {
    const known = this.#pending.get(keyOf(request));
    if (known) return known;
    const fresh = createPendingRequest(request, toRequestId(randomUUID()));
    this.#pending.set(keyOf(request), fresh);
    return fresh;
  }

  forget(pending: PendingRequest): void {
    const key = keyOf(pending.request);
    if (this.#pending.get(key) === pending) this.#pending.delete(key);
  }

  /** Requests that were told a place in a queue. */
  waiting(): readonly PendingRequest[] {
    return [...this.#pending.values()].filter((pending) => pending.position > 0);
  }

  addHold(request: Key, active: ActiveHold): void {
    this.#holds.set(keyOf(request), active);
  }

  removeHold(request: Key, active: ActiveHold): void {
    if (this.#holds.get(keyOf(request)) === active) this.#holds.delete(keyOf(request));
  }

  held(): readonly HeldProgress[] {
    return [...this.#holds.values()].map((active) => active.view());
  }

  /** Wakes every waiter: what they wait for will not be told any more. */
  endWaits(): void {
    for (const pending of this.#pending.values()) pending.push({ kind: 'ended' });
  }

  onEvent(event: SessionEvent): void {
    switch (event.kind) {
      case 'snapshot':
        this.onSnapshot(event);
        break;
      case 'granted':
        this.#onGranted(event);
        break;
      case 'queued':
        this.#pending.get(keyOf(event))?.push({ ...event, kind: 'moved' });
        break;
      case 'revoked':
        this.#revoke(event, event.token, event.reason);
        this.#pending.get(keyOf(event))?.push({ kind: 'ended' });
        break;
      case 'completed':
      case 'failed':
        this.#pending.get(keyOf(event))?.push({ kind: 'ended' });
        break;
      case 'ping':
        break;
    }
  }

  /** Whoever waits and is in neither list was answered while nobody listened. */
  onSnapshot({ granted, queued }: SessionSnapshot): void {
    const grants = new Map(granted.map((grant) => [keyOf(grant), grant]));
    const places = new Map(queued.map((place) => [keyOf(place), place]));
    for (const pending of this.waiting()) {
      const key = keyOf(pending.request);
      const grant = grants.get(key);
      const place = places.get(key);
      if (grant) pending.push({ kind: 'granted', waiters: grant.waiters });
      else if (place) pending.push({ ...place, kind: 'moved' });
      else pending.push({ kind: 'ended' });
    }
  }

  /** A lock that was listed in a heartbeat and is not in the answer belongs to somebody else. */
  onHeldAnswer(snapshot: SessionSnapshot, sent: readonly HeldProgress[]): void {
    const tokens = new Set(snapshot.granted.map((grant) => grant.token));
    for (const held of sent) {
      if (!tokens.has(held.token)) this.#revoke(held, held.token, 'the lock server gave it to another');
    }
  }

  #onGranted(grant: GrantView): void {
    const pending = this.#pending.get(keyOf(grant));
    if (pending) pending.push({ kind: 'granted', waiters: grant.waiters });
    else if (!this.#holds.has(keyOf(grant))) this.#onStrayGrant(grant);
  }

  #revoke(key: Key, token: ActiveHold['token'], reason: string): void {
    const active = this.#holds.get(keyOf(key));
    if (active?.token === token) active.revoke(reason);
  }
}

function keyOf({ type, resourceId }: Key): string {
  return `${type} ${resourceId}`;
}
