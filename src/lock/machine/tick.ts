import type { Step } from './commands.ts';
import { grantNext, leaveQueue, reclaim } from './grant.ts';
import { endSession } from './sessions.ts';
import { type Lock, type MachineState, refile, type Session, type Waiter } from './state.ts';

/** What time alone changes. Call it a few times a second. */
export function tick(state: MachineState, step: Step): undefined {
  forgiveOwnPause(state, step);
  endRecovery(state, step);
  for (const session of [...state.sessions.values()]) expireSession(state, session, step);
  for (const lock of [...state.timed]) expireLock(state, lock, step);
  forgetOld(state, step);
  return undefined;
}

/** A server that was stopped itself heard nobody, and may blame nobody: all sessions get one more TTL. */
function forgiveOwnPause(state: MachineState, { nowMs }: Step): void {
  const { tickedMs } = state;
  state.tickedMs = nowMs;
  if (tickedMs === undefined || nowMs - tickedMs <= state.options.heartbeatMs) return;
  for (const session of state.sessions.values()) {
    session.seenMs = nowMs;
    if (session.streamEndedMs !== undefined) session.streamEndedMs = nowMs;
  }
  for (const lock of state.timed) {
    if (lock.holder) lock.holder.seenMs = nowMs;
    for (const waiter of lock.queue.values()) waiter.seenMs = nowMs;
  }
}

function endRecovery(state: MachineState, step: Step): void {
  if (!state.isRecovering || step.nowMs < state.recoverUntilMs) return;
  state.isRecovering = false;
  for (const lock of [...state.active]) {
    restoreOrder(lock);
    grantNext(state, lock, step);
  }
}

/** Places come back in any order; the positions told before the restart say who was first. */
function restoreOrder({ queue }: Lock): void {
  const byPlace = [...queue].sort(([, a], [, b]) => a.formerPosition - b.formerPosition);
  queue.clear();
  for (const [key, waiter] of byPlace) queue.set(key, waiter);
}

function expireSession(state: MachineState, session: Session, step: Step): void {
  const { ttlMs, graceMs } = state.options;
  const silentMs = step.nowMs - session.seenMs;
  const { streamEndedMs } = session;
  const isCut = streamEndedMs !== undefined && session.seenMs <= streamEndedMs;
  if (silentMs >= ttlMs) endSession(state, session, 'no heartbeat', step);
  else if (isCut && step.nowMs - streamEndedMs >= graceMs)
    endSession(state, session, 'its connection broke', step);
}

function expireLock(state: MachineState, lock: Lock, step: Step): void {
  expirePlaces(state, lock, step);
  const { holder } = lock;
  if (!holder) return;
  const silentMs = step.nowMs - holder.seenMs;
  if (!holder.isClaimed && silentMs >= state.options.claimMs) {
    reclaim(state, lock, holder, 'the grant was not claimed', step);
  } else if (!holder.sessionId && silentMs >= state.options.leaseMs) {
    reclaim(state, lock, holder, 'the lease ended', step);
  } else {
    stopWatching(state, lock);
  }
}

/** A holder with a session is timed by its session once it has claimed. */
function stopWatching(state: MachineState, lock: Lock): void {
  const { holder, queue } = lock;
  if (!holder?.isClaimed || !holder.sessionId) return;
  for (const waiter of queue.values()) if (!waiter.sessionId) return;
  state.timed.delete(lock);
}

function expirePlaces(state: MachineState, lock: Lock, step: Step): void {
  if (lock.listeners > 0) return;
  const isOver = (waiter: Waiter) => !waiter.sessionId && step.nowMs - waiter.seenMs >= state.options.placeMs;
  for (const waiter of [...lock.queue.values()].filter(isOver)) leaveQueue(state, lock, waiter, step);
  refile(state, lock, step.nowMs);
}

/** Records go by age, and the oldest when there are too many. */
function forgetOld(state: MachineState, { nowMs }: Step): void {
  const { completionMs, maxRecords } = state.options;
  for (const [lock, sinceMs] of state.idle) {
    if (nowMs - sinceMs < completionMs && state.idle.size <= maxRecords) return;
    state.idle.delete(lock);
    if (lock.listeners === 0) state.locks.delete(lock.key);
  }
}
