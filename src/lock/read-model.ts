import type { Digest } from '../core/digest.ts';
import type { SessionId } from '../core/ids.ts';
import type { ListQuery, OperationType, PlaceView, ResourceView } from './locks.ts';
import type { ResourceNews, viewOf } from './machine/events.ts';
import { defaultDomain, findLock, isFresh, type Lock, type MachineState } from './machine/state.ts';
import { emptyView, placeView, viewLock } from './machine/views.ts';

const defaultLimit = 1_000;

/** Resources whose digest begins with the prefix; without one, those that are held or waited for. */
export function listResources(state: MachineState, query: ListQuery, nowMs: number): ResourceView[] {
  const { prefix, limit = defaultLimit } = query;
  const found: ResourceView[] = [];
  for (const lock of prefix === undefined ? state.active : state.locks.values()) {
    if (found.length >= limit) break;
    if (matches(lock.resourceId, prefix) && isKnown(lock)) found.push(viewLock(state, lock, nowMs));
  }
  return prefix === undefined ? found : [...found, ...listCopies(state, prefix, limit - found.length, nowMs)];
}

/** Copies that nodes announced, in domains where nothing else is known of the resource. */
function listCopies(state: MachineState, prefix: string, limit: number, nowMs: number): ResourceView[] {
  const found: ResourceView[] = [];
  for (const { resourceId, members } of state.swarms.values()) {
    if (found.length >= limit) break;
    if (!matches(resourceId, prefix)) continue;
    const domains = new Set([...members.values()].map(({ session }) => session.domain));
    for (const domain of domains) {
      const lock = findLock(state, domain, resourceId);
      if (!lock || !isKnown(lock)) found.push(emptyView(state, domain, resourceId, nowMs));
    }
  }
  return found.slice(0, Math.max(0, limit));
}

/** With its algorithm or without, as people copy digests. */
function matches(resourceId: Digest, prefix: string | undefined): boolean {
  if (prefix === undefined) return true;
  return resourceId.startsWith(prefix) || resourceId.startsWith(prefix, resourceId.indexOf(':') + 1);
}

/** A lock that was only asked about has nothing to show. */
function isKnown({ holder, queue, endings, lastFailure }: Lock): boolean {
  return holder !== undefined || queue.size > 0 || endings.size > 0 || lastFailure !== undefined;
}

/** How things stand in numbers. */
export interface LockCounts {
  readonly sessions: number;
  readonly held: number;
  readonly waiting: number;
  readonly longestQueue: number;
}

export function countLocks({ sessions, active }: MachineState): LockCounts {
  let [held, waiting, longestQueue] = [0, 0, 0];
  for (const { holder, queue } of active) {
    held += holder ? 1 : 0;
    waiting += queue.size;
    longestQueue = Math.max(longestQueue, queue.size);
  }
  return { sessions: sessions.size, held, waiting, longestQueue };
}

/** The sessions that wait for a resource, with their places. */
export function placesAt(
  state: MachineState,
  domain: string,
  resourceId: Digest,
): { readonly sessionId: SessionId; readonly place: PlaceView }[] {
  const waiters = [...(findLock(state, domain, resourceId)?.queue ?? [])];
  return waiters.flatMap((waiter) =>
    waiter.sessionId ? [{ sessionId: waiter.sessionId, place: placeView(waiter) }] : [],
  );
}

/**
 * What an older client that begins to listen has to know: who holds the resource or how it ended, and who is called
 * by name to ask again. Nothing while nothing happened.
 */
export function currentNews(
  state: MachineState,
  type: OperationType,
  resourceId: Digest,
  nowMs: number,
): ResourceNews[] {
  const lock = findLock(state, defaultDomain, resourceId);
  if (!lock) return [];
  const called = [...lock.farewells.values()].filter(
    ({ who, why }) => who.type === type && why.kind !== 'done',
  );
  const calls = called.map(({ who }) => ({ event: callOf(type, resourceId, who) }));
  return [...standing(state, lock, type, nowMs), ...calls];
}

function standing(state: MachineState, lock: Lock, type: OperationType, nowMs: number): ResourceNews[] {
  const { holder, resourceId } = lock;
  if (holder) return [{ event: callOf(type, resourceId, holder) }];
  const ending = lock.endings.get(type);
  if (!isFresh(state, ending, nowMs)) return [];
  const { by, success, error, atMs } = ending;
  return [{ event: { type, resourceId, nodeId: by.nodeId, success, error }, endedMs: atMs }];
}

function callOf(type: OperationType, resourceId: Digest, who: Parameters<typeof viewOf>[0]) {
  return { type, resourceId, nodeId: who.nodeId, success: false, error: '' };
}
