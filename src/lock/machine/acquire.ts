import type { AcquireReply, AcquireRequest } from '../locks.ts';
import type { Replies, Step } from './commands.ts';
import { type Claim, grant, grantedReply, tellLog } from './grant.ts';
import {
  type Caller,
  callerOf,
  type Hold,
  type Lock,
  lockFor,
  type MachineState,
  placeKey,
  positionOf,
  refile,
  viewOf,
  type Waiter,
} from './state.ts';

/** Who asked twice is answered the same; else skip, refuse, grant or enqueue, in this order. */
export function acquire(state: MachineState, request: AcquireRequest, step: Step): Replies['acquire'] {
  const caller = callerOf(state, request);
  if (!caller) return { kind: 'unknown-session' };
  if (caller.session) caller.session.seenMs = step.nowMs;
  const lock = lockFor(state, caller.domain, request.resourceId);
  const claim = claimOf(caller, request, step);
  const reply = answerKnown(state, lock, claim, step) ?? answerNew(state, lock, claim, request, step);
  refile(state, lock, step.nowMs);
  return reply;
}

function claimOf({ identity, nodeId, session }: Caller, request: AcquireRequest, { nowMs }: Step): Claim {
  const { type, requestId } = request;
  return { identity, nodeId, sessionId: session?.id, type, requestId, sinceMs: nowMs, seenMs: nowMs };
}

/** The holder and the waiters may ask again as often as they like. */
function answerKnown(state: MachineState, lock: Lock, claim: Claim, step: Step): AcquireReply | undefined {
  const { holder } = lock;
  if (holder?.identity === claim.identity && holder.type === claim.type) {
    claimHold(holder, step);
    return grantedReply(state, holder);
  }
  const waiter = lock.queue.get(placeKey(claim.identity, claim.type));
  if (!waiter) return undefined;
  waiter.seenMs = step.nowMs;
  return queuedReply(lock, waiter);
}

export function claimHold(hold: Hold, { nowMs }: Step): void {
  hold.isClaimed = true;
  hold.seenMs = nowMs;
}

function answerNew(
  state: MachineState,
  lock: Lock,
  claim: Claim,
  request: AcquireRequest,
  step: Step,
): Replies['acquire'] {
  const done = doneBefore(state, lock, request, step);
  if (done) {
    tellLog(lock, 'skipped', claim, {}, step);
    return { kind: 'skip', by: done.by };
  }
  const refusal = refuse(state, lock, claim, request, step);
  if (refusal) return refusal;
  if (state.isRecovering) return answerInRecovery(state, lock, claim, request, step);
  if (lock.holder) return enqueue(state, lock, claim, 0, step);
  return grantedReply(state, grant(state, lock, claim, true, step));
}

function doneBefore(state: MachineState, lock: Lock, { type, force }: AcquireRequest, { nowMs }: Step) {
  const { pullDone } = lock;
  if (!pullDone || force || type !== 'pull') return undefined;
  return nowMs - pullDone.atMs < state.options.completionMs ? pullDone : undefined;
}

function refuse(
  state: MachineState,
  lock: Lock,
  claim: Claim,
  { force }: AcquireRequest,
  step: Step,
): AcquireReply | undefined {
  const { contentFailureMs, maxQueue, maxResources } = state.options;
  const recent = lock.contentFailures.filter(({ atMs }) => step.nowMs - atMs < contentFailureMs);
  const last = recent.at(-1);
  if (!force && recent.length >= 2 && last) return refused(lock, claim, 'content', last.error, step);
  if (lock.queue.size >= maxQueue) {
    return refused(lock, claim, 'limit', `${maxQueue} wait for this resource already`, step);
  }
  if (state.active.size >= maxResources && !state.active.has(lock)) {
    return refused(lock, claim, 'limit', `${maxResources} resources are locked already`, step);
  }
  return undefined;
}

function refused(
  lock: Lock,
  claim: Claim,
  reason: 'content' | 'limit',
  message: string,
  step: Step,
): AcquireReply {
  tellLog(lock, 'refused', claim, { reason: message }, step);
  return { kind: 'refused', reason, message };
}

/** Until the recovery ends only those who had a place get one; what was held is re-asserted by heartbeats. */
function answerInRecovery(
  state: MachineState,
  lock: Lock,
  claim: Claim,
  { position }: AcquireRequest,
  step: Step,
): Replies['acquire'] {
  if (position !== undefined) return enqueue(state, lock, claim, position, step);
  return { kind: 'recovering', waitMs: Math.max(1, state.recoverUntilMs - step.nowMs) };
}

function enqueue(
  state: MachineState,
  lock: Lock,
  claim: Claim,
  formerPosition: number,
  step: Step,
): AcquireReply {
  const waiter: Waiter = { ...claim, formerPosition };
  lock.queue.set(placeKey(claim.identity, claim.type), waiter);
  if (claim.sessionId) state.sessions.get(claim.sessionId)?.places.add(lock);
  tellLog(lock, 'queued', claim, { position: lock.queue.size }, step);
  const reply = queuedReply(lock, waiter, lock.queue.size);
  if (claim.sessionId) tellQueued(lock, waiter, step);
  return reply;
}

function tellQueued(lock: Lock, waiter: Waiter, step: Step): void {
  const { sessionId, type } = waiter;
  if (!sessionId) return;
  const holder = lock.holder ? { holder: viewOf(lock.holder) } : {};
  const { resourceId } = lock;
  const event = { kind: 'queued', type, resourceId, position: lock.queue.size, ...holder } as const;
  step.events.push({ kind: 'session', sessionId, event });
}

function queuedReply(lock: Lock, waiter: Waiter, position = positionOf(lock, waiter)): AcquireReply {
  return { kind: 'queued', position, ...(lock.holder ? { holder: viewOf(lock.holder) } : {}) };
}
