import { type Step, tellClaimant, tellLog } from './events.ts';
import { grantNext, reclaim, removeHold } from './grant.ts';
import { forgetFarewell, leavePlace, takePlace } from './places.ts';
import { changeStore } from './readers.ts';
import { hasRoomFor, refusalOf } from './refusal.ts';
import {
  enterStore,
  type Hold,
  isFresh,
  type Lock,
  leaveStore,
  lockFor,
  type MachineState,
  refile,
  type Session,
  type Waiter,
} from './state.ts';

/**
 * The session's store turned out to be another. What it brings comes into that one, so all that it holds and waits for
 * goes along; nobody of the store that it was taken for waits for it, or hears of it as done, any longer.
 */
export function moveSession(state: MachineState, session: Session, domain: string, step: Step): void {
  const [holds, places] = [[...session.holds], [...session.places]];
  leaveStore(state, session);
  session.domain = domain;
  enterStore(state, session);
  for (const waiter of places) {
    leavePlace(state, waiter, step);
    refile(state, waiter.lock, step.nowMs);
  }
  for (const lock of holds) {
    if (lock.holder) moveHold(state, session, lock, lock.holder, step);
    grantNext(state, lock, step);
  }
  for (const waiter of places) movePlace(state, waiter, domain, step);
  changeStore(state, session, step);
}

/** Under the same token, unless the lock there is another's, or may have been held under a later one, or is one too many. */
function moveHold(state: MachineState, session: Session, lock: Lock, hold: Hold, step: Step): void {
  const there = lockFor(state, session.domain, lock.resourceId);
  const lastToken = Math.max(there.lastToken, state.forgottenToken);
  if (there.holder || hold.token <= lastToken || !hasRoomFor(state, there)) {
    refile(state, there, step.nowMs);
    reclaim(state, lock, hold, 'the session moved to another store, where the lock is not free', step);
    return;
  }
  removeHold(state, lock, hold, 'lost', step);
  there.holder = hold;
  there.lastToken = hold.token;
  session.holds.add(there);
  step.changes.push({ kind: 'lock', lock: there });
  step.moved.add(there);
  refile(state, there, step.nowMs);
  tellLog(there, 'moved', hold, { token: hold.token, from: lock.domain }, step);
}

/** At the end of the queue there. Who is not let in is told, and asks again. */
function movePlace(state: MachineState, waiter: Waiter, domain: string, step: Step): void {
  const { type, key } = waiter;
  const lock = lockFor(state, domain, waiter.lock.resourceId);
  const done = type === 'pull' && isFresh(state, lock.pullDone, step.nowMs) ? lock.pullDone : undefined;
  const refusal = refusalOf(state, lock, type, step);
  if (done) tellClaimant(lock, waiter, { kind: 'completed', by: done.by }, step);
  else if (refusal) tellClaimant(lock, waiter, { kind: 'failed', error: refusal.message }, step);
  else {
    forgetFarewell(lock, key, step);
    const rank = Number.POSITIVE_INFINITY;
    takePlace(state, { ...waiter, lock, arrival: state.nextArrival, rank, formerPosition: 0 }, step);
  }
  grantNext(state, lock, step);
}
