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
import { childrenOf, isTold, sourceOf } from './swarm.ts';
import { isQuiet } from './troubles.ts';

/** 1 for the next in line. While the service recovers, the position told before. */
export function positionOf(waiter: Waiter): number {
  return waiter.formerPosition > 0 ? waiter.formerPosition : waiter.lock.queue.positionOf(waiter);
}

export function holderInFront({ holder }: Lock): { readonly holder?: HolderView } {
  return holder ? { holder: viewOf(holder) } : {};
}

export function snapshotOf(state: MachineState, session: Session, nowMs: number): SessionSnapshot {
  const granted = [...session.holds].flatMap((lock) => (lock.holder ? [grantView(lock, lock.holder)] : []));
  const children = countChildren(state, session, nowMs);
  return { granted, queued: [...session.places].map(placeView), ...(children > 0 ? { children } : {}) };
}

/** Whoever is about to end waits for them, and for none of which nothing is heard. */
function countChildren(state: MachineState, { peer }: Session, nowMs: number): number {
  if (!peer.isDraining || peer.children === 0) return peer.children;
  const all = [...peer.members.values()].flatMap(childrenOf);
  return all.filter(({ session }) => !isQuiet(state, session, nowMs)).length;
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

/** Of a resource of which nothing is remembered here, but who has it. */
export function emptyView(
  state: MachineState,
  domain: string,
  resourceId: Digest,
  nowMs: number,
): ResourceView {
  return { resourceId, domain, queue: [], copies: served(state, domain, resourceId, nowMs) };
}

/** One resource for people. */
export function viewLock(state: MachineState, lock: Lock, nowMs: number): ResourceView {
  const { resourceId, domain, holder, pullDone, lastFailure: failed } = lock;
  return {
    ...{ resourceId, domain },
    ...(holder ? { holder: holderView(state, lock, holder, nowMs) } : {}),
    queue: queueView(lock, nowMs),
    copies: copiesView(
      served(state, domain, resourceId, nowMs),
      isFresh(state, pullDone, nowMs) ? pullDone : undefined,
      nowMs,
    ),
    ...(isFresh(state, failed, nowMs) ? { lastError: errorView(failed, nowMs) } : {}),
  };
}

function holderView(
  state: MachineState,
  { resourceId }: Lock,
  hold: Hold,
  nowMs: number,
): NonNullable<ResourceView['holder']> {
  const { type, token, offset, total, sinceMs, sessionId } = hold;
  const member = sessionId && state.swarms.get(resourceId)?.members.get(sessionId);
  const source = member && isTold(member.parent) ? { source: sourceOf(member) } : {};
  return { ...viewOf(hold), type, token, offset, total, heldMs: nowMs - sinceMs, ...source };
}

type Copies = ResourceView['copies'];

/** Copies that their nodes serve. */
function served({ swarms }: MachineState, domain: string, resourceId: Digest, nowMs: number): Copies {
  const members = [...(swarms.get(resourceId)?.members.values() ?? [])];
  const here = members.filter(({ isComplete, session }) => isComplete && session.domain === domain);
  return here.map(({ session, completeMs }) => {
    const { id: sessionId, nodeId, opened } = session;
    const url = opened.url === undefined ? {} : { url: opened.url };
    return { ...viewOf({ nodeId, sessionId }), ageMs: nowMs - completeMs, ...url };
  });
}

/** Whoever pulled it last is named first, also when nobody can read it there. */
function copiesView(copies: Copies, done: Ending | undefined, nowMs: number): Copies {
  if (!done || copies.some(({ sessionId }) => sessionId === done.by.sessionId)) return copies;
  return [{ ...done.by, ageMs: nowMs - done.atMs }, ...copies];
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
