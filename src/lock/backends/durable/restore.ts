import * as v from 'valibot';
import { LayerpullError } from '../../../core/errors.ts';
import { toSessionId, toToken } from '../../../core/ids.ts';
import type { MachineOptions } from '../../machine/options.ts';
import { goOnReading } from '../../machine/readers.ts';
import {
  type Claimant,
  createState,
  defaultDomain,
  enterStore,
  type Lock,
  lockFor,
  type MachineState,
  placeKey,
  refile,
  type Session,
  type Waiter,
} from '../../machine/state.ts';
import { createPeer } from '../../machine/swarm.ts';
import {
  farewellSchema,
  lockSchema,
  type RecordKey,
  sessionSchema,
  spentSchema,
  waiterSchema,
} from './records.ts';

export interface Stored {
  readonly key: RecordKey;
  readonly value: unknown;
}

/**
 * The state that these records describe, at `nowMs` of the same time as before. Whoever was there gets one whole TTL,
 * lease or claim from now on to be heard of again. Records come in the order of their keys.
 *
 * @throws LayerpullError `data_unusable` where they contradict each other or are not of this format
 */
export function restoreState(
  options: MachineOptions,
  records: Iterable<Stored>,
  nowMs: number,
): MachineState {
  const state = createState({ ...options, recoveryMs: 0 }, nowMs);
  state.resumedMs = nowMs;
  // All that was ever promised is here, so nobody has to bring anything back.
  state.adoptUntilMs = Number.NEGATIVE_INFINITY;
  const locks = new Map<number, Lock>();
  const later: Stored[] = [];
  for (const record of records) {
    if (record.key[0] === 'session') restoreSession(state, record, nowMs);
    else if (record.key[0] === 'lock') locks.set(record.key[1], restoreLock(state, record, record.key[1]));
    else later.push(record);
  }
  for (const { key, value } of later) {
    if (key[0] === 'farewell') restoreFarewell(lockOf(locks, key[1], key), key[2], value);
    if (key[0] === 'spent') restoreSpent(lockOf(locks, key[2], key), key[1], value);
    if (key[0] === 'waiter') restoreWaiter(state, lockOf(locks, key[1], key), key[2], value, nowMs);
  }
  for (const lock of [...locks.values()].sort((one, other) => lastUse(one) - lastUse(other))) {
    lock.queue.sort(byRank);
    joinHolder(state, lock, nowMs);
    refile(state, lock, Math.min(nowMs, lastUse(lock)));
  }
  return state;
}

function restoreSession(state: MachineState, { key, value }: Stored, nowMs: number): void {
  const opened = read(sessionSchema, key, value);
  const id = toSessionId(String(key[1]));
  const session: Session = {
    ...{ id, nodeId: opened.nodeId, domain: opened.storeId ?? defaultDomain, opened, isReturning: false },
    ...{
      heartbeatMs: nowMs,
      streams: 0,
      cutMs: undefined,
      succeededMs: Number.NEGATIVE_INFINITY,
      holds: new Set(),
      places: new Set(),
      peer: createPeer(),
    },
  };
  state.sessions.set(id, session);
  enterStore(state, session);
}

function restoreLock(state: MachineState, { key, value }: Stored, id: number): Lock {
  const record = read(lockSchema, key, value);
  state.nextLockId = id;
  const lock = lockFor(state, record.domain, record.resourceId);
  if (lock.id !== id) throw unusable(key, 'is there twice');
  for (const [type, ending] of record.endings) lock.endings.set(type, ending);
  lock.pullDone = record.pullDone;
  lock.lastFailure = record.lastFailure;
  lock.contentFailure = record.contentFailure;
  lock.refusedUntilMs = record.refusedUntilMs ?? Number.NEGATIVE_INFINITY;
  lock.lastToken = record.lastToken;
  if (record.holder) {
    const { sinceMs } = record.holder;
    const times = { seenMs: sinceMs, progressedMs: sinceMs, flowingMs: sinceMs };
    lock.holder = { ...claimantOf(record.holder), ...record.holder, ...times };
  }
  return lock;
}

function restoreWaiter(
  state: MachineState,
  lock: Lock,
  arrival: number,
  value: unknown,
  nowMs: number,
): void {
  const record = read(waiterSchema, ['waiter', lock.id, arrival], value);
  const claimant = claimantOf(record);
  const { sinceMs, rank = Number.POSITIVE_INFINITY } = record;
  const waiter: Waiter = {
    ...{ ...claimant, key: placeKey(claimant), lock, arrival, rank },
    ...{ sinceMs, seenMs: nowMs, formerPosition: 0 },
  };
  lock.queue.add(waiter);
  state.nextArrival = Math.max(state.nextArrival, arrival + 1);
  if (!waiter.sessionId) state.timedPlaces.add(waiter);
  else sessionOf(state, waiter.sessionId).places.add(waiter);
}

function restoreFarewell(lock: Lock, key: string, value: unknown): void {
  const { who, why } = read(farewellSchema, ['farewell', lock.id, key], value);
  lock.farewells.set(key, { who: claimantOf(who), why });
}

/** Records come by token, which is nearly always the order in which they ended. */
function restoreSpent(lock: Lock, number: number, value: unknown): void {
  const token = toToken(number);
  const one = { ...read(spentSchema, ['spent', number, lock.id], value), token };
  lock.spent.set(token, one);
  if (one.atMs >= (lock.lastSpent?.atMs ?? 0)) lock.lastSpent = one;
}

function joinHolder(state: MachineState, lock: Lock, nowMs: number): void {
  const { holder } = lock;
  if (!holder) return;
  holder.seenMs = nowMs;
  if (!holder.sessionId) return;
  sessionOf(state, holder.sessionId).holds.add(lock);
  if (holder.isClaimed) goOnReading(state, lock, holder, nowMs);
}

function claimantOf(
  record: Partial<Pick<Claimant, 'sessionId' | 'requestId'>> & Omit<Claimant, 'sessionId' | 'requestId'>,
): Claimant {
  const { identity, nodeId, type, sessionId, requestId } = record;
  return { identity, nodeId, type, sessionId, requestId };
}

/** Records come by arrival, and sorting keeps that order among equals. */
function byRank(one: Waiter, other: Waiter): number {
  return one.rank < other.rank ? -1 : Number(one.rank > other.rank);
}

/** When a lock that only remembers was last of use. */
function lastUse({ spent, endings }: Lock): number {
  const times = [...spent.values(), ...endings.values()].map(({ atMs }) => atMs);
  return Math.max(0, ...times);
}

function lockOf(locks: ReadonlyMap<number, Lock>, id: number, key: RecordKey): Lock {
  const lock = locks.get(id);
  if (!lock) throw unusable(key, 'belongs to no lock');
  return lock;
}

function sessionOf(state: MachineState, id: NonNullable<Claimant['sessionId']>) {
  const session = state.sessions.get(id);
  if (!session) throw unusable(['session', id], 'is missing');
  return session;
}

function read<S extends v.GenericSchema>(schema: S, key: RecordKey, value: unknown): v.InferOutput<S> {
  const parsed = v.safeParse(schema, value, { abortEarly: true });
  if (parsed.success) return parsed.output;
  throw unusable(key, `is not of this format: ${v.getDotPath(parsed.issues[0]) ?? 'value'}`);
}

function unusable(key: RecordKey, problem: string): LayerpullError {
  return new LayerpullError(
    'data_unusable',
    `the data of the lock server is damaged: record ${JSON.stringify(key)} ${problem}`,
    {
      hint: 'move the data directory away and start again: running pulls bring back the locks they hold',
    },
  );
}
