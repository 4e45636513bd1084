import type { Digest } from '../../core/digest.ts';
import type { ResourceRequest, StatusReply } from '../locks.ts';
import { acquire } from './acquire.ts';
import { type Caller, callerOf, findCaller, holdOf, renewLease } from './callers.ts';
import type { Replies } from './commands.ts';
import type { Step } from './events.ts';
import { claimHold } from './grant.ts';
import {
  defaultDomain,
  type Ending,
  findLock,
  isFresh,
  type Lock,
  lockFor,
  type MachineState,
  placeKey,
  refile,
} from './state.ts';
import { emptyView, viewLock } from './views.ts';

/** How it stands for whoever asks. Asking is a sign of life: it keeps a place, and claims a grant. */
export function status(state: MachineState, request: ResourceRequest, step: Step): Replies['status'] {
  const caller = callerOf(state, request);
  const refused = caller && touch(state, caller, request, step);
  const answer = lookStatus(state, request, step.nowMs);
  if (answer.kind === 'unknown-session' || refused === undefined) return answer;
  return { kind: 'status', status: { ...answer.status, error: refused } };
}

/** What asking changes. Answers why a client that missed its turn gets no place again. */
function touch(
  state: MachineState,
  caller: Caller,
  request: ResourceRequest,
  step: Step,
): string | undefined {
  const lock = findLock(state, caller.domain, request.resourceId);
  if (!lock) return undefined;
  renewLease(lock, caller, step);
  const key = placeKey({ identity: caller.identity, type: request.type });
  // A client that only polls never asks for the lock again by itself.
  const isLapsed = lock.farewells.get(key)?.why.kind === 'lapsed';
  const again = isLapsed ? acquire(state, request, step) : undefined;
  const hold = holdOf(lock, caller, request.type);
  if (hold) claimHold(state, lock, hold, step);
  const waiter = lock.queue.get(key);
  if (waiter) waiter.seenMs = step.nowMs;
  return again?.kind === 'refused' ? again.message : undefined;
}

/** The same answer as it stands, which changes nothing: nobody is heard by it, and no grant is claimed. */
export function lookStatus(state: MachineState, request: ResourceRequest, nowMs: number): Replies['status'] {
  const caller = findCaller(state, request);
  if (!caller) return { kind: 'unknown-session' };
  const lock = findLock(state, caller.domain, request.resourceId);
  const view = lock
    ? viewLock(state, lock, nowMs)
    : emptyView(state, caller.domain, request.resourceId, nowMs);
  const standing = lock ? standingOf(state, lock, caller, request, nowMs) : nothing;
  return { kind: 'status', status: { ...standing, view } };
}

const nothing = { acquired: false, completed: false, success: false };

function standingOf(
  state: MachineState,
  lock: Lock,
  caller: Caller,
  request: ResourceRequest,
  nowMs: number,
): Omit<StatusReply, 'view'> {
  const key = placeKey({ identity: caller.identity, type: request.type });
  if (holdOf(lock, caller, request.type)) return { ...nothing, acquired: true };
  if (lock.queue.get(key)) return nothing;
  const ending = endingOf(state, lock, request, nowMs);
  const told = { acquired: false, completed: ending !== undefined, success: ending?.success ?? false };
  const why = lock.farewells.get(key)?.why;
  return why?.kind === 'failed' ? { ...told, error: why.error } : told;
}

/** How the last operation of this type ended, unless another one is under way. */
function endingOf(
  state: MachineState,
  lock: Lock,
  { type }: ResourceRequest,
  nowMs: number,
): Ending | undefined {
  if (type === 'pull' && isFresh(state, lock.pullDone, nowMs)) return lock.pullDone;
  const ending = lock.holder?.type === type ? undefined : lock.endings.get(type);
  return isFresh(state, ending, nowMs) ? ending : undefined;
}

/** Streams of older clients do not say whose they are: while there is one, no place of such a client lapses. */
export function listen(state: MachineState, resourceId: Digest, change: 1 | -1, step: Step): undefined {
  const lock = lockFor(state, defaultDomain, resourceId);
  lock.listeners = Math.max(0, lock.listeners + change);
  for (const waiter of lock.queue) waiter.seenMs = step.nowMs;
  refile(state, lock, step.nowMs);
  return undefined;
}
