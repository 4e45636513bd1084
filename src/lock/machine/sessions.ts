import type { SessionInfo } from '../locks.ts';
import type { CommandOf } from './commands.ts';
import type { Step } from './events.ts';
import { grantNext, reclaim } from './grant.ts';
import { moveSession } from './moves.ts';
import { leavePlace } from './places.ts';
import { leaveSwarms, moveUrl } from './readers.ts';
import { defaultDomain, enterStore, leaveStore, type MachineState, refile, type Session } from './state.ts';
import { createPeer } from './swarm.ts';

/** Opening a session that is open is a heartbeat; with another store it goes there. */
export function openSession(
  state: MachineState,
  { request, isReturning }: CommandOf<'open-session'>,
  step: Step,
): SessionInfo {
  const { sessionId, nodeId, storeId } = request;
  const domain = storeId ?? defaultDomain;
  const known = state.sessions.get(sessionId);
  step.changes.push({ kind: 'session', id: sessionId });
  if (known) {
    const { url } = known.opened;
    known.opened = request;
    hear(known, step);
    if (known.domain !== domain) moveSession(state, known, domain, step);
    if (url !== request.url) moveUrl(state, known, step);
  } else {
    const session: Session = {
      ...{ id: sessionId, nodeId, domain, opened: request, isReturning },
      ...{ heartbeatMs: step.nowMs, streams: 0, cutMs: undefined },
      succeededMs: Number.NEGATIVE_INFINITY,
      ...{ holds: new Set(), places: new Set(), peer: createPeer() },
    };
    succeed(state, session, step);
    state.sessions.set(sessionId, session);
    enterStore(state, session);
  }
  const { ttlMs, heartbeatMs, claimMs } = state.options;
  return { sessionId, ttlMs, heartbeatMs, claimMs };
}

/** A pull or an agent that was killed and runs again waits for itself no longer than it must. */
function succeed({ stores }: MachineState, { nodeId, domain, opened }: Session, { nowMs }: Step): void {
  // Those that name no store are many, and nothing but their node in common.
  if (opened.storeId === undefined) return;
  for (const former of stores.get(domain) ?? []) if (former.nodeId === nodeId) former.succeededMs = nowMs;
}

export function hear(session: Session, { nowMs }: Step): void {
  session.heartbeatMs = nowMs;
  session.cutMs = undefined;
}

/** A session that ends leaves all queues and fails all it held, so that nobody waits for it. */
export function endSession(state: MachineState, session: Session, reason: string, step: Step): void {
  state.sessions.delete(session.id);
  leaveStore(state, session);
  step.changes.push({ kind: 'session', id: session.id });
  session.peer.isGone = true;
  freeAll(state, session, reason, step);
  leaveSwarms(state, session, step);
  step.events.push({ kind: 'session-ended', sessionId: session.id });
}

function freeAll(state: MachineState, session: Session, reason: string, step: Step): void {
  for (const waiter of [...session.places]) {
    leavePlace(state, waiter, step);
    refile(state, waiter.lock, step.nowMs);
  }
  for (const lock of [...session.holds]) {
    if (lock.holder) reclaim(state, lock, lock.holder, reason, step);
    else grantNext(state, lock, step);
  }
  session.places.clear();
  session.holds.clear();
}

export function streamOpened(session: Session): void {
  session.streams += 1;
  session.cutMs = undefined;
}

export function streamClosed(session: Session, { nowMs }: Step): void {
  session.streams = Math.max(0, session.streams - 1);
  if (session.streams === 0) session.cutMs = nowMs;
}
