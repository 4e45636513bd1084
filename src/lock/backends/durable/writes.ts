import type { Changes } from '../../machine/changes.ts';
import type { Claimant, Farewell, Hold, Lock, MachineState, Waiter } from '../../machine/state.ts';
import type { FarewellRecord, LockRecord, RecordKey, WaiterRecord } from './records.ts';

/** One record to write, or without a value to erase. */
export interface Write {
  readonly key: RecordKey;
  readonly value: object | undefined;
}

/** The records of what changed, as it stands now: what is gone is erased. */
export function* writesOf(state: MachineState, changes: Changes): Generator<Write, void, undefined> {
  for (const id of changes.sessions) {
    yield { key: ['session', id], value: state.sessions.get(id)?.opened };
  }
  for (const lock of changes.locks) {
    const isThere = state.locks.get(lock.key) === lock;
    yield { key: ['lock', lock.id], value: isThere ? lockRecord(lock) : undefined };
  }
  for (const waiter of changes.waiters) {
    const { lock, key, arrival } = waiter;
    const isThere = lock.queue.get(key) === waiter;
    yield { key: ['waiter', lock.id, arrival], value: isThere ? waiterRecord(waiter) : undefined };
  }
  for (const [lock, keys] of changes.farewells) {
    for (const key of keys) yield { key: ['farewell', lock.id, key], value: farewellOf(lock, key) };
  }
}

function lockRecord(lock: Lock): LockRecord {
  const { domain, resourceId, holder, endings, pullDone, lastFailure, contentFailure, spent, lastToken } =
    lock;
  return {
    ...{ domain, resourceId, endings: [...endings], spent, lastToken },
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
