import type { Outcome } from '../locks.ts';
import { dropCopies } from './copies.ts';
import { callListener, type Step, tellClaimant, tellEnding, tellLog, viewOf } from './events.ts';
import { endHold } from './grant.ts';
import { leaveAll, sayFarewell } from './places.ts';
import type { Ending, Hold, Lock, MachineState, Waiter } from './state.ts';

/** Ends an operation and answers those for whom its end is the answer. The lock is free then. */
export function finish(state: MachineState, lock: Lock, hold: Hold, outcome: Outcome, step: Step): void {
  const { success } = outcome;
  const error = outcome.success ? '' : outcome.error;
  const ending: Ending = { success, error, by: viewOf(hold), atMs: step.nowMs };
  endHold(state, lock, hold, success ? 'success' : 'failure', step);
  lock.endings.set(hold.type, ending);
  if (!success) lock.lastFailure = ending;
  const heldMs = step.nowMs - hold.sinceMs;
  tellLog(
    lock,
    'released',
    hold,
    { token: hold.token, success, heldMs, ...(success ? {} : { error }) },
    step,
  );
  tellEnding(lock, hold, ending, step);
  if (outcome.success) succeed(state, lock, hold, ending, step);
  else if (outcome.class === 'content') failContent(state, lock, ending, step);
}

/** A pull answers waiting pulls, a delete undoes the pull and answers waiting deletes, an update answers nobody. */
function succeed(state: MachineState, lock: Lock, { type }: Hold, ending: Ending, step: Step): void {
  if (type !== 'delete') {
    lock.contentFailure = undefined;
    lock.refusedUntilMs = Number.NEGATIVE_INFINITY;
  }
  if (type === 'update') return;
  if (type === 'delete') {
    lock.endings.delete('pull');
    dropCopies(state, lock.resourceId, lock.domain, step);
  }
  lock.pullDone = type === 'pull' ? ending : undefined;
  for (const waiter of leaveAll(state, lock, (one) => one.type === type, step))
    tellDone(waiter, ending, step);
}

/** Later pulls skip by their record; of deletes only those that waited, so they are known by their request. */
function tellDone(waiter: Waiter, { by, atMs }: Ending, step: Step): void {
  const { lock, requestId, type, sinceMs } = waiter;
  if (type === 'delete' && requestId !== undefined) sayFarewell(lock, waiter, { kind: 'done', by }, step);
  tellLog(lock, 'skipped', waiter, { waitedMs: atMs - sinceMs }, step);
  tellClaimant(lock, waiter, { kind: 'completed', by }, step);
}

/** What is wrong with the content is wrong for everyone who waits to read it, so they do not try in turn. */
function failContent(state: MachineState, lock: Lock, ending: Ending, step: Step): void {
  const { contentFailureMs } = state.options;
  const { contentFailure: last } = lock;
  if (last && ending.atMs - last.atMs < contentFailureMs)
    lock.refusedUntilMs = ending.atMs + contentFailureMs;
  lock.contentFailure = ending;
  for (const waiter of leaveAll(state, lock, (one) => one.type !== 'delete', step)) {
    tellClaimant(lock, waiter, { kind: 'failed', error: ending.error }, step);
    if (waiter.sessionId) continue;
    sayFarewell(lock, waiter, { kind: 'failed', error: ending.error }, step);
    callListener(lock, waiter, step);
  }
}
