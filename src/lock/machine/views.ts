import type { Digest } from '../../core/digest.ts';
import type { GrantView, HolderView, PlaceView, ResourceView, SessionSnapshot } from '../locks.ts';
import { viewOf } from './events.ts';
import {
  type Ending,
  type Hold,
  isFresh,
  type Lock,
  type MachineState,
  type Session,
  type Waiter,
} from './state.ts';

/** 1 for the next in line. While the service recovers, the position told before. */
export function positionOf(waiter: Waiter): number {
  return waiter.formerPosition > 0 ? waiter.formerPosition : waiter.lock.queue.positionOf(waiter);
}

export function holderInFront({ holder }: Lock): { readonly holder?: HolderView } {
  return holder ? { holder: viewOf(holder) } : {};
}

export function snapshotOf(session: Session): SessionSnapshot {
  const granted = [...session.holds].flatMap((lock) => (lock.holder ? [grantView(lock, lock.holder)] : []));
  const { children } = session.peer;
  return { granted, queued: [...session.places].map(placeView), ...(children > 0 ? { children } : {}) };
}

function grantView({ resourceId, queue }: Lock, { type, token }: Hold): GrantView {
  return { type, resourceId, token, waiters: queue.size };
}

export function placeView(waiter: Waiter): PlaceView {
  const { type, lock } = waiter;
  const { resourceId, holder } = lock;
  const progress = holder ? { progress: { offset: holder.offset, total: holder.total } } : {};
  return { type, resourceId, position: positionOf(waiter), ...holderInFront(lock), ...progress };
}

export function emptyView(domain: string, resourceId: Digest): ResourceView {
  return { resourceId, domain, queue: [], copies: [] };
}

/** One resource for people. */
export function viewLock(state: MachineState, lock: Lock, nowMs: number): ResourceView {
  const { resourceId, domain, holder, pullDone, lastFailure: failed } = lock;
  return {
    ...emptyView(domain, resourceId),
    ...(holder ? { holder: holderView(holder, nowMs) } : {}),
    queue: queueView(lock, nowMs),
    copies: isFresh(state, pullDone, nowMs) ? [{ ...pullDone.by, ageMs: nowMs - pullDone.atMs }] : [],
    ...(isFresh(state, failed, nowMs) ? { lastError: errorView(failed, nowMs) } : {}),
  };
}

function holderView(hold: Hold, nowMs: number): NonNullable<ResourceView['holder']> {
  const { type, token, offset, total, sinceMs } = hold;
  return { ...viewOf(hold), type, token, offset, total, heldMs: nowMs - sinceMs };
}

function queueView({ queue }: Lock, nowMs: number): ResourceView['queue'] {
  return [...queue].map((waiter, index) => ({
    ...viewOf(waiter),
    type: waiter.type,
    position: index + 1,
    waitingMs: nowMs - waiter.sinceMs,
  }));
}

function errorView({ by, error, atMs }: Ending, nowMs: number): NonNullable<ResourceView['lastError']> {
  return { nodeId: by.nodeId, message: error, ageMs: nowMs - atMs };
}
