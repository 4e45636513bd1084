import { type Token, toToken } from '../../core/ids.ts';
import type { AcquireReply } from '../locks.ts';
import { callListener, type Step, tellClaimant, tellEnding, tellLog, viewOf } from './events.ts';
import { leavePlace, sayFarewell } from './places.ts';
import { readingFrom, stopReading } from './readers.ts';
import { spend } from './spent.ts';
import { type Claimant, type Hold, type Lock, type MachineState, refile, type Spent } from './state.ts';

/** A claim that becomes a hold: since when it waited, and whether its owner knows already. */
export interface Claim extends Claimant {
  readonly sinceMs: number;
}

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
  // Written out: these objects are made with each grant, and spreads cost.
  const hold: Hold = {
    identity,
    nodeId,
    sessionId,
    type,
    requestId,
    token,
    isClaimed,
    sinceMs: nowMs,
    seenMs: nowMs,
    offset: 0,
    total: 0,
    progressedMs: nowMs,
    flowingMs: nowMs,
  };
  lock.holder = hold;
  step.changes.push({ kind: 'lock', lock });
  lock.lastToken = token;
  if (sessionId) state.sessions.get(sessionId)?.holds.add(lock);
  step.moved.add(lock);
  refile(state, lock, nowMs);
  tellLog(lock, 'granted', hold, { token, waitedMs: nowMs - claim.sinceMs }, step);
  return hold;
}

/** The holder knows that it holds: from here on it answers for the lock. */
export function claimHold(state: MachineState, lock: Lock, hold: Hold, { nowMs, changes }: Step): void {
  if (!hold.isClaimed) changes.push({ kind: 'lock', lock });
  hold.isClaimed = true;
  hold.seenMs = nowMs;
  refile(state, lock, nowMs);
}

/** Hands a free lock to the head of its queue, if there is one. */
export function grantNext(state: MachineState, lock: Lock, step: Step): void {
  const next = lock.queue.head;
  if (lock.holder || !next || state.isRecovering) {
    refile(state, lock, step.nowMs);
    return;
  }
  leavePlace(state, next, step);
  const { token } = grant(state, lock, next, false, step);
  tellClaimant(lock, next, { kind: 'granted', token, waiters: lock.queue.size }, step);
  callListener(lock, next, step);
}

/** Takes the lock from its holder, remembering how the token was spent. */
export function endHold(state: MachineState, lock: Lock, hold: Hold, end: Spent['end'], step: Step): void {
  removeHold(state, lock, hold, end, step);
  stopReading(state, lock, hold, end === 'success', step);
}

/** The lock here is free; whether the operation is over says the caller. */
export function removeHold(state: MachineState, lock: Lock, hold: Hold, end: Spent['end'], step: Step): void {
  const { sessionId } = hold;
  lock.holder = undefined;
  step.changes.push({ kind: 'lock', lock });
  if (sessionId) state.sessions.get(sessionId)?.holds.delete(lock);
  spend(state, lock, hold, end, step);
  refile(state, lock, step.nowMs);
}

/** The holder is gone without a word: a failure of its node, and the next one's turn. */
export function reclaim(state: MachineState, lock: Lock, hold: Hold, reason: string, step: Step): void {
  const ending = { success: false, error: reason, by: viewOf(hold), atMs: step.nowMs };
  takeBack(state, lock, hold, reason, step);
  lock.endings.set(hold.type, ending);
  lock.lastFailure = ending;
  tellEnding(lock, hold, ending, step);
  grantNext(state, lock, step);
}

/** Nobody claimed the grant, so nothing was begun: it passes on. Who missed it may ask again. */
export function passOn(state: MachineState, lock: Lock, hold: Hold, step: Step): void {
  takeBack(state, lock, hold, 'the grant was not claimed in time', step);
  if (!hold.sessionId) {
    sayFarewell(lock, hold, { kind: 'lapsed' }, step);
    callListener(lock, hold, step);
  }
  grantNext(state, lock, step);
}

/** Ends the hold as lost, and tells its session. */
export function takeBack(state: MachineState, lock: Lock, hold: Hold, reason: string, step: Step): void {
  const { token, sinceMs } = hold;
  endHold(state, lock, hold, 'lost', step);
  tellLog(lock, 'reclaimed', hold, { token, reason, heldMs: step.nowMs - sinceMs }, step);
  tellClaimant(lock, hold, { kind: 'revoked', token, reason }, step);
}

export function grantedReply(state: MachineState, lock: Lock, hold: Hold, step: Step): AcquireReply {
  const ttlMs = hold.sessionId ? state.options.ttlMs : state.options.leaseMs;
  return { kind: 'granted', token: hold.token, ttlMs, source: readingFrom(state, lock, hold, step) };
}
