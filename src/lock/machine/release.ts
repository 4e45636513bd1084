import type { DeclineRequest, Outcome, ReleaseReply, ReleaseRequest } from '../locks.ts';
import { type Caller, callerOf, holdOf, renewLease } from './callers.ts';
import type { Replies } from './commands.ts';
import { finish } from './endings.ts';
import { type Step, tellLog } from './events.ts';
import { endHold, grantNext } from './grant.ts';
import { leavePlace } from './places.ts';
import { findLock, type Hold, type Lock, type MachineState, placeKey, type Spent } from './state.ts';

const released: ReleaseReply = { kind: 'released' };

export function release(state: MachineState, request: ReleaseRequest, step: Step): Replies['release'] {
  const caller = callerOf(state, request);
  if (!caller) return { kind: 'unknown-session' };
  const lock = findLock(state, caller.domain, request.resourceId);
  if (!lock) return stranger(caller);
  renewLease(lock, caller, step);
  const hold = meantHold(lock, caller, request);
  if (!hold) return answerRepeat(state, lock, caller, request, endOf(request.outcome), step);
  finish(state, lock, hold, request.outcome, step);
  grantNext(state, lock, step);
  return released;
}

/** A grant given back without an error; without a token also a place given up. */
export function decline(state: MachineState, request: DeclineRequest, step: Step): Replies['decline'] {
  const caller = callerOf(state, request);
  if (!caller) return { kind: 'unknown-session' };
  const lock = findLock(state, caller.domain, request.resourceId);
  if (!lock) return stranger(caller);
  renewLease(lock, caller, step);
  const hold = meantHold(lock, caller, request);
  if (!hold && !giveUpPlace(state, lock, caller, request, step)) {
    return answerRepeat(state, lock, caller, request, 'declined', step);
  }
  if (hold) {
    endHold(state, lock, hold, 'declined', step);
    tellLog(lock, 'declined', hold, { token: hold.token, heldMs: step.nowMs - hold.sinceMs }, step);
  }
  grantNext(state, lock, step);
  return released;
}

function giveUpPlace(
  state: MachineState,
  lock: Lock,
  { identity }: Caller,
  { type, token }: DeclineRequest,
  step: Step,
): boolean {
  const waiter = lock.queue.get(placeKey({ identity, type }));
  if (!waiter || token !== undefined) return false;
  leavePlace(state, waiter, step);
  tellLog(lock, 'declined', waiter, { waitedMs: step.nowMs - waiter.sinceMs }, step);
  return true;
}

/** The caller's hold, unless the request means an earlier one. */
function meantHold(lock: Lock, caller: Caller, { type, token }: DeclineRequest): Hold | undefined {
  const hold = holdOf(lock, caller, type);
  return token === undefined || token === hold?.token ? hold : undefined;
}

/** Replies get lost, so a release comes twice: the same one is welcome, another outcome is not. */
function answerRepeat(
  state: MachineState,
  lock: Lock,
  caller: Caller,
  request: DeclineRequest,
  end: Spent['end'],
  step: Step,
): ReleaseReply {
  const before = spentBy(state, lock, caller, request, step);
  if (!before) return holdOf(lock, caller, request.type) ? superseded() : stranger(caller);
  if (before.end === end) return released;
  if (before.end === 'lost') return superseded();
  return { kind: 'conflict', message: `the lock ended as ${before.end} before; that stays` };
}

/** With a token the grant of that token; without one the last grant of all, if it was the caller's. */
function spentBy(
  { options }: MachineState,
  { spent, lastSpent }: Lock,
  { identity }: Caller,
  { type, token }: DeclineRequest,
  { nowMs }: Step,
): Spent | undefined {
  const one = token === undefined ? lastSpent : spent.get(token);
  const isMeant = one?.identity === identity && one.type === type;
  return isMeant && nowMs - one.atMs < options.repeatMs ? one : undefined;
}

function endOf(outcome: Outcome): Spent['end'] {
  return outcome.success ? 'success' : 'failure';
}

function superseded(): ReleaseReply {
  return { kind: 'conflict', message: 'the token was superseded: the lock is not held under it any more' };
}

function stranger({ nodeId }: Caller): ReleaseReply {
  return { kind: 'not-holder', message: `${nodeId} does not hold the lock` };
}
