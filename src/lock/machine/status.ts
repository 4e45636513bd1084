import type { ResourceRequest, ResourceView, StatusReply } from '../locks.ts';
import { claimHold } from './acquire.ts';
import type { Replies, Step } from './commands.ts';
import {
  type Caller,
  callerOf,
  type Ending,
  findLock,
  type Lock,
  lockFor,
  type MachineState,
  placeKey,
  refile,
  viewOf,
} from './state.ts';

/** How it stands for whoever asks. Asking is a sign of life: it keeps a place, and claims a grant. */
export function status(state: MachineState, request: ResourceRequest, step: Step): Replies['status'] {
  const caller = callerOf(state, request);
  if (!caller) return { kind: 'unknown-session' };
  const lock = findLock(state, caller.domain, request.resourceId);
  if (!lock) return unknownResource(caller, request);
  const holder = lock.holder?.identity === caller.identity ? lock.holder : undefined;
  if (holder) claimHold(holder, step);
  const waiter = lock.queue.get(placeKey(caller.identity, request.type));
  if (waiter) waiter.seenMs = step.nowMs;
  const ending = holder ? undefined : lock.endings.get(request.type);
  return {
    acquired: holder !== undefined,
    completed: ending !== undefined,
    success: ending?.success ?? false,
    view: viewLock(lock, step.nowMs),
  };
}

function unknownResource({ domain }: Caller, { resourceId }: ResourceRequest): StatusReply {
  const view = { resourceId, domain, queue: [], copies: [] };
  return { acquired: false, completed: false, success: false, view };
}

/** Those who listen to a resource keep the places of the clients that have no session. */
export function listen(
  state: MachineState,
  resourceId: Lock['resourceId'],
  change: 1 | -1,
  step: Step,
): undefined {
  const lock = lockFor(state, 'default', resourceId);
  lock.listeners = Math.max(0, lock.listeners + change);
  for (const waiter of lock.queue.values()) waiter.seenMs = step.nowMs;
  refile(state, lock, step.nowMs);
  return undefined;
}

/** One resource for people. */
export function viewLock(lock: Lock, nowMs: number): ResourceView {
  const { resourceId, domain, holder, pullDone } = lock;
  const failed = [...lock.endings.values()].filter((ending) => !ending.success).at(-1);
  return {
    resourceId,
    domain,
    queue: queueOf(lock, nowMs),
    copies: pullDone ? [{ ...pullDone.by, ageMs: nowMs - pullDone.atMs }] : [],
    ...(holder ? { holder: holderOf(holder, nowMs) } : {}),
    ...(failed ? { lastError: errorOf(failed, nowMs) } : {}),
  };
}

function holderOf(holder: NonNullable<Lock['holder']>, nowMs: number): NonNullable<ResourceView['holder']> {
  const { type, token, offset, total, sinceMs } = holder;
  return { ...viewOf(holder), type, token, offset, total, heldMs: nowMs - sinceMs };
}

function queueOf({ queue }: Lock, nowMs: number): ResourceView['queue'] {
  return [...queue.values()].map((waiter, index) => ({
    ...viewOf(waiter),
    type: waiter.type,
    position: index + 1,
    waitingMs: nowMs - waiter.sinceMs,
  }));
}

function errorOf({ by, error, atMs }: Ending, nowMs: number): NonNullable<ResourceView['lastError']> {
  return { nodeId: by.nodeId, message: error, ageMs: nowMs - atMs };
}
