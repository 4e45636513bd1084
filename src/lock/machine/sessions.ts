import { toToken } from '../../core/ids.ts';
import type {
  GrantView,
  Heartbeat,
  HeldProgress,
  PlaceView,
  SessionInfo,
  SessionSnapshot,
} from '../locks.ts';
import { claimHold } from './acquire.ts';
import type { Command, Replies, Step } from './commands.ts';
import { install, leaveQueue, reclaim } from './grant.ts';
import {
  defaultDomain,
  identityOf,
  type Lock,
  lockFor,
  type MachineState,
  positionOf,
  refile,
  type Session,
  viewOf,
} from './state.ts';

type Open = Extract<Command, { kind: 'open-session' }>['request'];

/** Opening a session that is open is a sign of life and changes nothing else. */
export function openSession(state: MachineState, request: Open, { nowMs }: Step): SessionInfo {
  const { sessionId, nodeId, storeId } = request;
  const known = state.sessions.get(sessionId);
  if (known) known.seenMs = nowMs;
  else {
    state.sessions.set(sessionId, {
      ...{ id: sessionId, nodeId, domain: storeId ?? defaultDomain },
      ...{ seenMs: nowMs, streams: 0, streamEndedMs: undefined, holds: new Set(), places: new Set() },
    });
  }
  const { ttlMs, heartbeatMs, claimMs } = state.options;
  return { sessionId, ttlMs, heartbeatMs, claimMs };
}

/** A session that ends leaves all queues and fails all it held, so that nobody waits for it. */
export function endSession(state: MachineState, session: Session, reason: string, step: Step): void {
  state.sessions.delete(session.id);
  step.events.push({ kind: 'session-ended', sessionId: session.id });
  for (const lock of [...session.places]) leavePlaces(state, lock, session, step);
  for (const lock of [...session.holds]) {
    if (lock.holder) reclaim(state, lock, lock.holder, reason, step);
  }
}

function leavePlaces(state: MachineState, lock: Lock, session: Session, step: Step): void {
  for (const waiter of [...lock.queue.values()]) {
    if (waiter.sessionId === session.id) leaveQueue(state, lock, waiter, step);
  }
  refile(state, lock, step.nowMs);
}

export function renew(
  state: MachineState,
  session: Session,
  heartbeat: Heartbeat,
  step: Step,
): Replies['renew'] {
  session.seenMs = step.nowMs;
  for (const held of heartbeat.held) renewHold(state, session, held, step);
  return { kind: 'snapshot', ...snapshotOf(session) };
}

function renewHold(state: MachineState, session: Session, held: HeldProgress, step: Step): void {
  const lock = lockFor(state, session.domain, held.resourceId);
  if (isFree(lock) && held.token > lock.lastToken) adopt(state, lock, session, held, step);
  const { holder } = lock;
  if (holder?.sessionId === session.id && holder.token === held.token) {
    claimHold(holder, step);
    holder.offset = held.offset;
    holder.total = held.total;
  } else {
    tellRevoked(lock, session, held, step);
  }
  refile(state, lock, step.nowMs);
}

/** During a recovery a free lock may have waiters already: they came with their old places, behind the holder. */
function isFree(lock: Lock): boolean {
  return lock.holder === undefined;
}

/** A lock from before a restart, which nobody got since: its holder goes on under its token. */
function adopt(state: MachineState, lock: Lock, session: Session, held: HeldProgress, step: Step): void {
  if (!state.isRecovering && lock.queue.size > 0) return;
  const { nowMs } = step;
  const claim = {
    ...{ identity: identityOf(session.id), nodeId: session.nodeId, sessionId: session.id },
    ...{ type: held.type, requestId: undefined, sinceMs: nowMs, seenMs: nowMs },
  };
  state.nextToken = toToken(Math.max(state.nextToken, held.token + 1));
  install(state, lock, claim, held.token, true, step);
}

function tellRevoked(lock: Lock, session: Session, { type, token }: HeldProgress, step: Step): void {
  const reason = lock.holder ? `held by ${lock.holder.nodeId} now` : 'the lock ended meanwhile';
  const event = { kind: 'revoked', type, resourceId: lock.resourceId, token, reason } as const;
  step.events.push({ kind: 'session', sessionId: session.id, event });
}

export function snapshotOf(session: Session): SessionSnapshot {
  const granted = [...session.holds].flatMap((lock) => grantView(lock));
  const queued = [...session.places].flatMap((lock) => placeViews(lock, session));
  return { granted, queued };
}

function grantView({ holder, resourceId, queue }: Lock): GrantView[] {
  return holder ? [{ type: holder.type, resourceId, token: holder.token, waiters: queue.size }] : [];
}

function placeViews(lock: Lock, session: Session): PlaceView[] {
  const { resourceId } = lock;
  const holder = lock.holder ? { holder: viewOf(lock.holder) } : {};
  const mine = [...lock.queue.values()].filter((waiter) => waiter.sessionId === session.id);
  return mine.map((waiter) => ({
    ...{ type: waiter.type, resourceId, position: positionOf(lock, waiter) },
    ...holder,
  }));
}

export function streamOpened(session: Session, { nowMs }: Step): void {
  session.seenMs = nowMs;
  session.streams += 1;
  session.streamEndedMs = undefined;
}

export function streamClosed(session: Session, { nowMs }: Step): void {
  session.streams = Math.max(0, session.streams - 1);
  if (session.streams === 0) session.streamEndedMs = nowMs;
}
