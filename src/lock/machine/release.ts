import type { DeclineRequest, Outcome, ReleaseReply, ReleaseRequest } from '../locks.ts';
import type { Replies, Step } from './commands.ts';
import { endHold, grantNext, leaveQueue, setEnding, tellLog } from './grant.ts';
import {
  type Caller,
  callerOf,
  type Ending,
  findLock,
  type Hold,
  type Lock,
  type MachineState,
  placeKey,
  type Spent,
  viewOf,
  type Waiter,
} from './state.ts';

/** How long a spent token is remembered for repeated releases, in milliseconds. */
const repeatMs = 600_000;

const released: ReleaseReply = { kind: 'released' };

export function release(state: MachineState, request: ReleaseRequest, step: Step): Replies['release'] {
  const caller = callerOf(state, request);
  if (!caller) return { kind: 'unknown-session' };
  if (caller.session) caller.session.seenMs = step.nowMs;
  const lock = findLock(state, caller.domain, request.resourceId);
  const hold = lock && holdOf(lock, caller, request);
  if (!lock || !hold) return answerRepeat(lock, caller, request, request.outcome, step);
  finish(state, lock, hold, request.outcome, step);
  return released;
}

/** A grant given back without an error, or a place given up. */
export function decline(state: MachineState, request: DeclineRequest, step: Step): Replies['decline'] {
  const caller = callerOf(state, request);
  if (!caller) return { kind: 'unknown-session' };
  if (caller.session) caller.session.seenMs = step.nowMs;
  const lock = findLock(state, caller.domain, request.resourceId);
  if (!lock) return stranger(caller);
  const hold = holdOf(lock, caller, request);
  const waiter = lock.queue.get(placeKey(caller.identity, request.type));
  if (!hold && !waiter) return answerRepeat(lock, caller, request, undefined, step);
  if (waiter) leaveQueue(state, lock, waiter, step);
  if (hold) giveBack(state, lock, hold, step);
  grantNext(state, lock, step);
  return released;
}

function giveBack(state: MachineState, lock: Lock, hold: Hold, step: Step): void {
  endHold(state, lock, hold, 'declined', step);
  tellLog(lock, 'declined', hold, { token: hold.token }, step);
}

/** The caller's hold, if the request means it. */
function holdOf(lock: Lock, caller: Caller, { token, type }: DeclineRequest): Hold | undefined {
  const { holder } = lock;
  if (holder?.identity !== caller.identity || holder.type !== type) return undefined;
  return token === undefined || token === holder.token ? holder : undefined;
}

function finish(state: MachineState, lock: Lock, hold: Hold, outcome: Outcome, step: Step): void {
  const { nowMs } = step;
  const error = outcome.success ? '' : outcome.error;
  const ending: Ending = { success: outcome.success, error, by: viewOf(hold), atMs: nowMs };
  endHold(state, lock, hold, outcome.success ? 'success' : 'failure', step);
  setEnding(lock, hold, ending);
  const fields = { token: hold.token, success: outcome.success, heldMs: nowMs - hold.sinceMs };
  tellLog(lock, 'released', hold, error ? { ...fields, error } : fields, step);
  tellListeners(lock, hold, ending, step);
  if (outcome.success) succeed(state, lock, hold, ending, step);
  else if (outcome.class === 'content') failAll(state, lock, ending, step);
  grantNext(state, lock, step);
}

/** Wall time is not the machine's business: whoever renders the event adds it. */
function tellListeners(lock: Lock, { type, nodeId }: Hold, { success, error }: Ending, step: Step): void {
  const event = { type, resourceId: lock.resourceId, nodeId, success, error };
  if (lock.domain === 'default') step.events.push({ kind: 'resource', event });
}

/** A pull answers waiting pulls, a delete undoes the pull and answers waiting deletes, an update answers nobody. */
function succeed(state: MachineState, lock: Lock, { type }: Hold, ending: Ending, step: Step): void {
  if (type === 'update') return;
  lock.contentFailures = [];
  lock.pullDone = type === 'pull' ? ending : undefined;
  const answered = [...lock.queue.values()].filter((waiter) => waiter.type === type);
  for (const waiter of answered) {
    leaveQueue(state, lock, waiter, step);
    tellLog(lock, 'skipped', waiter, { waitedMs: step.nowMs - waiter.sinceMs }, step);
    tellWaiter(lock, waiter, { kind: 'completed', by: ending.by }, step);
  }
}

/** What is wrong with the content is wrong for everyone who waits for it. */
function failAll(state: MachineState, lock: Lock, ending: Ending, step: Step): void {
  lock.contentFailures = [...lock.contentFailures, ending].slice(-2);
  for (const waiter of [...lock.queue.values()]) {
    leaveQueue(state, lock, waiter, step);
    tellWaiter(lock, waiter, { kind: 'failed', error: ending.error }, step);
  }
}

type WaiterNews =
  | { readonly kind: 'completed'; readonly by: Ending['by'] }
  | { readonly kind: 'failed'; readonly error: string };

function tellWaiter(lock: Lock, { sessionId, type }: Waiter, news: WaiterNews, step: Step): void {
  if (!sessionId) return;
  const event = { ...news, type, resourceId: lock.resourceId };
  step.events.push({ kind: 'session', sessionId, event });
}

/** Not the holder: the same release again, a late or flipped one, or a stranger. */
function answerRepeat(
  lock: Lock | undefined,
  caller: Caller,
  { token }: DeclineRequest,
  outcome: Outcome | undefined,
  { nowMs }: Step,
): ReleaseReply {
  const mine = (spent: Spent) => spent.identity === caller.identity && nowMs - spent.atMs < repeatMs;
  const before = lock?.spent.findLast((one) => mine(one) && (token === undefined || one.token === token));
  if (!before) return holdsWithOtherToken(lock, caller) ? superseded() : stranger(caller);
  if (before.end === endOf(outcome)) return released;
  if (before.end === 'lost' || before.end === 'declined') return superseded();
  return { kind: 'conflict', message: `the lock was released before with another outcome: ${before.end}` };
}

function endOf(outcome: Outcome | undefined): Spent['end'] {
  if (!outcome) return 'declined';
  return outcome.success ? 'success' : 'failure';
}

function holdsWithOtherToken(lock: Lock | undefined, caller: Caller): boolean {
  return lock?.holder?.identity === caller.identity;
}

function superseded(): ReleaseReply {
  return { kind: 'conflict', message: 'the token was superseded: the lock is not held under it any more' };
}

function stranger({ nodeId }: Caller): ReleaseReply {
  return { kind: 'not-holder', message: `${nodeId} does not hold the lock` };
}
