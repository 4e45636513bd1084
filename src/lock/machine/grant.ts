import { type Token, toToken } from '../../core/ids.ts';
import type { AcquireReply, Source } from '../locks.ts';
import type { LogFields, LogWhat, Step } from './commands.ts';
import {
  type Ending,
  type Hold,
  type Lock,
  type MachineState,
  refile,
  type Spent,
  viewOf,
  type Waiter,
} from './state.ts';

const fromRegistry: Source = { kind: 'registry' };
/** Spent tokens kept per lock: enough for repeats that cross on the way. */
const maxSpent = 16;

export type Claim = Omit<Waiter, 'formerPosition'>;

/** Makes `claim` the holder under a new token. Somebody who asked just now has claimed it; a waiter has not. */
export function grant(state: MachineState, lock: Lock, claim: Claim, isClaimed: boolean, step: Step): Hold {
  const token = state.nextToken;
  state.nextToken = toToken(token + 1);
  return install(state, lock, claim, token, isClaimed, step);
}

export function install(
  state: MachineState,
  lock: Lock,
  claim: Claim,
  token: Token,
  isClaimed: boolean,
  step: Step,
): Hold {
  const { identity, nodeId, sessionId, type, requestId } = claim;
  const { nowMs } = step;
  const hold: Hold = {
    ...{ identity, nodeId, sessionId, type, requestId, token, isClaimed },
    ...{ sinceMs: nowMs, seenMs: nowMs, offset: 0, total: 0 },
  };
  lock.holder = hold;
  lock.lastToken = token;
  if (sessionId) state.sessions.get(sessionId)?.holds.add(lock);
  refile(state, lock, nowMs);
  tellLog(lock, 'granted', hold, { token, waitedMs: nowMs - claim.sinceMs }, step);
  return hold;
}

/** Hands the free lock to the head of its queue, if there is one. */
export function grantNext(state: MachineState, lock: Lock, step: Step): void {
  const next = lock.queue.values().next().value;
  if (!lock.holder && next && !state.isRecovering) {
    leaveQueue(state, lock, next, step);
    const hold = grant(state, lock, next, false, step);
    tellGrant(lock, hold, step);
  }
  refile(state, lock, step.nowMs);
}

function tellGrant(lock: Lock, hold: Hold, step: Step): void {
  const { type, token, sessionId } = hold;
  const { resourceId } = lock;
  if (sessionId) {
    const event = { kind: 'granted', type, resourceId, token, waiters: lock.queue.size } as const;
    step.events.push({ kind: 'session', sessionId, event });
    return;
  }
  // Older clients that listen know a grant by their own name on an event without success.
  const event = { type, resourceId, nodeId: hold.nodeId, success: false, error: '' };
  step.events.push({ kind: 'resource', event });
}

export function leaveQueue(state: MachineState, lock: Lock, waiter: Waiter, step: Step): void {
  for (const [key, one] of lock.queue) {
    if (one === waiter) {
      lock.queue.delete(key);
      break;
    }
  }
  if (waiter.sessionId) forgetPlace(state, lock, waiter);
  if (lock.queue.size > 0) {
    step.events.push({ kind: 'moved', resourceId: lock.resourceId, domain: lock.domain });
  }
}

/** A session may wait for one resource with several types: the lock stays on its list while any of them waits. */
function forgetPlace(state: MachineState, lock: Lock, { sessionId }: Waiter): void {
  if (!sessionId) return;
  for (const other of lock.queue.values()) if (other.sessionId === sessionId) return;
  state.sessions.get(sessionId)?.places.delete(lock);
}

/** Takes the lock from its holder, remembering how the token was spent. */
export function endHold(state: MachineState, lock: Lock, hold: Hold, end: Spent['end'], step: Step): void {
  lock.holder = undefined;
  if (hold.sessionId) state.sessions.get(hold.sessionId)?.holds.delete(lock);
  const spent = { identity: hold.identity, token: hold.token, end, atMs: step.nowMs };
  lock.spent = [...lock.spent, spent].slice(-maxSpent);
}

/** The holder is gone without a word: a failure of its node, and the next one's turn. */
export function reclaim(state: MachineState, lock: Lock, hold: Hold, reason: string, step: Step): void {
  const { nowMs } = step;
  endHold(state, lock, hold, 'lost', step);
  setEnding(lock, hold, { success: false, error: reason, by: viewOf(hold), atMs: nowMs });
  tellLog(lock, 'reclaimed', hold, { token: hold.token, reason, heldMs: nowMs - hold.sinceMs }, step);
  if (hold.sessionId) {
    const { type, token, sessionId } = hold;
    const event = { kind: 'revoked', type, resourceId: lock.resourceId, token, reason } as const;
    step.events.push({ kind: 'session', sessionId, event });
  }
  grantNext(state, lock, step);
}

export function setEnding(lock: Lock, { type }: { readonly type: Hold['type'] }, ending: Ending): void {
  lock.endings.set(type, ending);
}

export function grantedReply(state: MachineState, hold: Hold): AcquireReply {
  const ttlMs = hold.sessionId ? state.options.ttlMs : state.options.leaseMs;
  return { kind: 'granted', token: hold.token, ttlMs, source: fromRegistry };
}

export function tellLog(
  lock: Lock,
  what: LogWhat,
  who: Parameters<typeof viewOf>[0],
  fields: Omit<LogFields, 'type'>,
  step: Step,
): void {
  const { resourceId, domain } = lock;
  step.events.push({ kind: 'log', what, who: viewOf(who), type: who.type, resourceId, domain, ...fields });
}
