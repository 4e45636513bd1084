import { toToken } from '../../core/ids.ts';
import type { Step } from './events.ts';
import { freeGoneNodes } from './gone-nodes.ts';
import { grantNext, passOn, reclaim } from './grant.ts';
import { expireOrigin, followSuccessor } from './origins.ts';
import { forgetFarewell, lapse } from './places.ts';
import { isStarved } from './readers.ts';
import { endSession } from './sessions.ts';
import { forgetSpent } from './spent.ts';
import { type Lock, type MachineState, refile, retentionMs, type Session, type Waiter } from './state.ts';
import { findMember } from './swarm.ts';
import { forgetLost } from './troubles.ts';

/** What time alone changes. Call it a few times a second, and regularly: a gap is taken for a pause of one's own. */
export function tick(state: MachineState, step: Step): undefined {
  forgiveOwnPause(state, step);
  endRecovery(state, step);
  for (const session of [...state.sessions.values()]) expireSession(state, session, step);
  for (const waiter of [...state.timedPlaces]) expirePlace(state, waiter, step);
  for (const lock of [...state.timedHolds]) expireHold(state, lock, step);
  for (const lock of [...state.active]) expireStalled(state, lock, step);
  for (const lock of [...state.active]) expireReader(state, lock, step);
  freeGoneNodes(state, step);
  forgetLost(state, step);
  forgetOld(state, step);
  return undefined;
}

/** A service that was stopped itself heard nobody, and blames nobody: all get their whole time once more. */
function forgiveOwnPause(state: MachineState, { nowMs }: Step): void {
  const { tickedMs, options } = state;
  state.tickedMs = nowMs;
  if (nowMs - tickedMs <= options.heartbeatMs) return;
  state.resumedMs = nowMs;
  // Nor could anybody bring back what was held before the restart.
  if (state.isRecovering) state.recoverUntilMs = nowMs + options.recoveryMs;
}

function endRecovery(state: MachineState, step: Step): void {
  if (!state.isRecovering || step.nowMs < state.recoverUntilMs) return;
  state.isRecovering = false;
  state.ownFromToken = state.nextToken;
  for (const lock of [...state.active]) {
    restoreOrder(lock);
    step.moved.add(lock);
    grantNext(state, lock, step);
  }
}

/** Places come back in any order; the positions told before the restart say who was first. */
function restoreOrder({ queue }: Lock): void {
  queue.sort((one, other) => one.formerPosition - other.formerPosition);
  for (const waiter of queue) waiter.formerPosition = 0;
}

function expireSession(state: MachineState, session: Session, step: Step): void {
  const { ttlMs, graceMs, successorMs } = state.options;
  const { heartbeatMs, cutMs, succeededMs } = session;
  const forgivenMs = state.resumedMs + ttlMs;
  if (step.nowMs >= Math.max(heartbeatMs + ttlMs, forgivenMs)) {
    loseSession(state, session, `no heartbeat for ${ttlMs / 1_000} s`, step);
  } else if (cutMs !== undefined) {
    const patienceMs = succeededMs >= cutMs ? Math.min(graceMs, successorMs) : graceMs;
    if (step.nowMs < Math.max(cutMs + patienceMs, forgivenMs)) return;
    loseSession(state, session, 'its connection broke', step);
  }
}

/** Should it come back soon, it may read but nobody reads from it. */
function loseSession(state: MachineState, session: Session, reason: string, step: Step): void {
  state.lostSessions.delete(session.id);
  state.lostSessions.set(session.id, step.nowMs + state.options.banMs);
  endSession(state, session, reason, step);
}

function expirePlace(state: MachineState, waiter: Waiter, step: Step): void {
  const { lock, seenMs } = waiter;
  if (lock.listeners > 0 || step.nowMs < Math.max(seenMs, state.resumedMs) + state.options.placeMs) return;
  lapse(state, waiter, step);
  refile(state, lock, step.nowMs);
}

function expireHold(state: MachineState, lock: Lock, step: Step): void {
  const { holder } = lock;
  if (!holder) return;
  const { claimMs, leaseMs } = state.options;
  const silentMs = step.nowMs - Math.max(holder.seenMs, state.resumedMs);
  if (!holder.isClaimed && silentMs >= claimMs) passOn(state, lock, holder, step);
  else if (!holder.sessionId && silentMs >= leaseMs) reclaim(state, lock, holder, 'the lease ended', step);
}

/**
 * One that brings nothing on gives way to those who wait. Whoever has all its bytes verifies and publishes them, which
 * a slow disk draws out and which the next one would have to do again: it gets much longer.
 */
function expireStalled(state: MachineState, lock: Lock, step: Step): void {
  const { holder } = lock;
  if (!holder?.sessionId || holder.type !== 'pull' || holder.total === 0 || lock.queue.size === 0) return;
  const { stallMs } = state.options;
  const allowedMs = holder.offset < holder.total ? stallMs : stallMs * 10;
  if (step.nowMs - Math.max(holder.progressedMs, state.resumedMs) < allowedMs) return;
  // It has all that its source has: nobody else of its store would get more.
  if (isStarved(state, lock, holder)) return;
  reclaim(state, lock, holder, `no progress for ${allowedMs / 1_000} s`, step);
}

function expireReader(state: MachineState, { holder, resourceId }: Lock, step: Step): void {
  const session = holder?.sessionId && state.sessions.get(holder.sessionId);
  const member = session && findMember(session, resourceId);
  if (!member) return;
  expireOrigin(state, member, step);
  followSuccessor(state, member, step);
}

/** Records go by age, and the oldest when there are too many. */
function forgetOld(state: MachineState, step: Step): void {
  const { nowMs } = step;
  const { maxRecords } = state.options;
  const keptMs = retentionMs(state.options);
  for (const [lock, sinceMs] of state.idle) {
    const isOld = nowMs - sinceMs >= keptMs;
    if (!isOld && state.idle.size <= maxRecords) return;
    state.idle.delete(lock);
    // What is forgotten early cannot be told from what was never held, so nothing comes back any more.
    if (!isOld) state.adoptUntilMs = Math.min(state.adoptUntilMs, nowMs);
    if (lock.listeners === 0) forgetLock(state, lock, step);
  }
}

function forgetLock(state: MachineState, lock: Lock, step: Step): void {
  state.locks.delete(lock.key);
  state.forgottenToken = toToken(Math.max(state.forgottenToken, lock.lastToken));
  step.changes.push({ kind: 'lock', lock });
  for (const token of [...lock.spent.keys()]) forgetSpent(lock, token, step);
  for (const key of [...lock.farewells.keys()]) forgetFarewell(lock, key, step);
}
