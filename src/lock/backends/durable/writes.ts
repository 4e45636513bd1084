import type { Token } from '../../../core/ids.ts';
import type { Change } from '../../machine/changes.ts';
import type { Claimant, Farewell, Hold, Lock, MachineState, Waiter } from '../../machine/state.ts';
import type { FarewellRecord, LockRecord, RecordKey, SpentRecord, WaiterRecord } from './records.ts';

/** One record to write, or without a value to erase. */
export interface Write {
  readonly key: RecordKey;
  readonly value: object | undefined;
}

/** The records of what changed, as it stands now: what is gone is erased. */
export function* writesOf(state: MachineState, changes: Iterable<Change>): Generator<Write, void, undefined> {
  const seen = new Set<Lock | Waiter>();
  for (const change of changes) {
    const subject =
      change.kind === 'lock' ? change.lock : change.kind === 'waiter' ? change.waiter : undefined;
    if (subject && seen.has(subject)) continue;
    if (subject) seen.add(subject);
    yield writeOf(state, change);
  }
}

function writeOf(state: MachineState, change: Change): Write {
  switch (change.kind) {
    case 'session':
      return { key: ['session', change.id], value: state.sessions.get(change.id)?.opened };
    case 'lock': {
      const { lock } = change;
      const isThere = state.locks.get(lock.key) === lock;
      return { key: ['lock', lock.id], value: isThere ? lockRecord(lock) : undefined };
    }
    case 'waiter': {
      const { waiter } = change;
      const isThere = waiter.lock.queue.get(waiter.key) === waiter;
      const value = isThere ? waiterRecord(waiter) : undefined;
      return { key: ['waiter', waiter.lock.id, waiter.arrival], value };
    }
    case 'farewell':
      return { key: ['farewell', change.lock.id, change.key], value: farewellOf(change.lock, change.key) };
    case 'spent':
      return { key: ['spent', change.token, change.lock.id], value: spentOf(change.lock, change.token) };
  }
}

function spentOf({ spent }: Lock, token: Token): SpentRecord | undefined {
  const one = spent.get(token);
  return one && { identity: one.identity, type: one.type, end: one.end, atMs: one.atMs };
}

function lockRecord(lock: Lock): LockRecord {
  const { domain, resourceId, holder, endings, pullDone, lastFailure, contentFailure, lastToken } = lock;
  return {
    ...{ domain, resourceId, endings: [...endings], lastToken },
    ...(holder && { holder: holdRecord(holder) }),
    ...(pullDone && { pullDone }),
    ...(lastFailure && { lastFailure }),
    ...(contentFailure && { contentFailure }),
    ...(Number.isFinite(lock.refusedUntilMs) && { refusedUntilMs: lock.refusedUntilMs }),
  };
}

function holdRecord(hold: Hold): NonNullable<LockRecord['holder']> {
  const { token, sinceMs, isClaimed, offset, total } = hold;
  return { ...claimantRecord(hold), token, sinceMs, isClaimed, offset, total };
}

function waiterRecord(waiter: Waiter): WaiterRecord {
  const { sinceMs, rank } = waiter;
  return { ...claimantRecord(waiter), sinceMs, ...(Number.isFinite(rank) && { rank }) };
}

function farewellOf({ farewells }: Lock, key: string): FarewellRecord | undefined {
  const farewell: Farewell | undefined = farewells.get(key);
  return farewell && { who: claimantRecord(farewell.who), why: farewell.why };
}

function claimantRecord({ identity, nodeId, sessionId, type, requestId }: Claimant) {
  return { identity, nodeId, type, ...(sessionId && { sessionId }), ...(requestId && { requestId }) };
}
