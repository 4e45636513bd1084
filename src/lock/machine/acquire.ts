import type { AcquireReply, AcquireRequest } from '../locks.ts';
import { type Caller, callerOf, holdOf, renewLease } from './callers.ts';
import type { Replies } from './commands.ts';
import { type Step, tellLog } from './events.ts';
import { claimHold, grant, grantedReply } from './grant.ts';
import { forgetFarewell, takePlace } from './places.ts';
import { refusalOf } from './refusal.ts';
import { isFresh, type Lock, lockFor, type MachineState, placeKey, refile, type Waiter } from './state.ts';
import { holderInFront, positionOf } from './views.ts';

/** Who asked before is answered the same; else skip, refuse, grant or enqueue, in this order. */
export function acquire(state: MachineState, request: AcquireRequest, step: Step): Replies['acquire'] {
  const caller = callerOf(state, request);
  if (!caller) return { kind: 'unknown-session' };
  const lock = lockFor(state, caller.domain, request.resourceId);
  renewLease(lock, caller, step);
  const reply =
    answerKnown(state, lock, caller, request, step) ?? answerNew(state, lock, caller, request, step);
  refile(state, lock, step.nowMs);
  return reply;
}

/** The holder and the waiters may ask again as often as they like: one identity and type is one request. */
function answerKnown(
  state: MachineState,
  lock: Lock,
  caller: Caller,
  { type }: AcquireRequest,
  step: Step,
): AcquireReply | undefined {
  const hold = holdOf(lock, caller, type);
  if (hold) {
    claimHold(state, lock, hold, step);
    return grantedReply(state, lock, hold, step);
  }
  const waiter = lock.queue.get(placeKey({ identity: caller.identity, type }));
  if (!waiter) return undefined;
  waiter.seenMs = step.nowMs;
  return queuedReply(waiter);
}

function answerNew(
  state: MachineState,
  lock: Lock,
  caller: Caller,
  request: AcquireRequest,
  step: Step,
): Replies['acquire'] {
  const claim = claimOf(state, lock, caller, request, step);
  const by = doneBefore(state, lock, claim, request, step);
  if (by) {
    tellLog(lock, 'skipped', claim, {}, step);
    return { kind: 'skip', by };
  }
  const refusal = refusalOf(state, lock, claim.type, step);
  if (refusal) {
    tellLog(lock, 'refused', claim, { reason: refusal.message }, step);
    return refusal;
  }
  if (state.isRecovering && request.position === undefined) return recovering(state, step);
  forgetFarewell(lock, claim.key, step);
  if (!state.isRecovering && !lock.holder) {
    const hold = grant(state, lock, claim, true, step);
    return grantedReply(state, lock, hold, step);
  }
  takePlace(state, claim, step);
  return queuedReply(claim);
}

function claimOf(
  state: MachineState,
  lock: Lock,
  caller: Caller,
  request: AcquireRequest,
  { nowMs }: Step,
): Waiter {
  const { identity, nodeId, session } = caller;
  const { type, requestId, position = 0 } = request;
  return {
    key: placeKey({ identity, type }),
    lock,
    identity,
    nodeId,
    sessionId: session?.id,
    type,
    requestId,
    arrival: state.nextArrival,
    sinceMs: nowMs,
    seenMs: nowMs,
    formerPosition: state.isRecovering ? position : 0,
    rank: state.isRecovering && position > 0 ? position : Number.POSITIVE_INFINITY,
  };
}

/** By whom the request was answered already: while it waited, or by a pull that succeeded before. */
function doneBefore(
  state: MachineState,
  lock: Lock,
  { key }: Waiter,
  { type, force, requestId }: AcquireRequest,
  step: Step,
) {
  const farewell = lock.farewells.get(key);
  if (farewell?.why.kind === 'done' && farewell.who.requestId === requestId) return farewell.why.by;
  if (type !== 'pull' || force || !isFresh(state, lock.pullDone, step.nowMs)) return undefined;
  forgetFarewell(lock, key, step);
  return lock.pullDone.by;
}

/** Until the recovery ends only those who had a place get one; what was held is re-asserted by heartbeats. */
function recovering({ recoverUntilMs }: MachineState, { nowMs }: Step): Replies['acquire'] {
  return { kind: 'recovering', waitMs: Math.max(1, recoverUntilMs - nowMs) };
}

function queuedReply(waiter: Waiter): AcquireReply {
  return { kind: 'queued', position: positionOf(waiter), ...holderInFront(waiter.lock) };
}
