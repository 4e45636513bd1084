import type { Digest } from '../../core/digest.ts';
import { type NodeId, type SessionId, type Token, toToken } from '../../core/ids.ts';
import type { Claimant, Ending, Lock, Session, Swarm, Waiter } from './model.ts';
import type { MachineOptions } from './options.ts';
import { Queue } from './queue.ts';

export type {
  Claimant,
  Ending,
  Farewell,
  Hold,
  Identity,
  Lock,
  Session,
  Spent,
  Waiter,
} from './model.ts';

export interface MachineState {
  readonly options: MachineOptions;
  nextToken: Token;
  nextLockId: number;
  nextArrival: number;
  nextMember: number;
  /** Tokens from here up to the next one are of this life. */
  ownFromToken: Token;
  /** Tokens of an earlier life that came back. */
  readonly adoptedTokens: Set<Token>;
  /** No lock that was forgotten was held under a higher token; before the first was, below all of this life. */
  forgottenToken: Token;
  recoverUntilMs: number;
  isRecovering: boolean;
  /** Until then a lock from before a restart may come back, if nobody held it since. */
  adoptUntilMs: number;
  /** When time was last looked at; the start counts as once. */
  tickedMs: number;
  /** When the service went on after it was stopped itself: nobody could be heard before. */
  resumedMs: number;
  readonly sessions: Map<SessionId, Session>;
  /** By their domain. */
  readonly stores: Map<string, Set<Session>>;
  /** Nodes without a session that hold locks and closed their last connection, with the time. */
  readonly goneNodes: Map<NodeId, number>;
  readonly locks: Map<string, Lock>;
  /** Who has which digest and who reads it from whom, over all domains. Nothing of it outlives a restart. */
  readonly swarms: Map<Digest, Swarm>;
  /** Sessions that were lost, with the time until which they are no source; in the order in which they were. */
  readonly lostSessions: Map<SessionId, number>;
  /** Locks with a holder or waiters. */
  readonly active: Set<Lock>;
  /** Locks whose holder has yet to claim, or holds without a session. */
  readonly timedHolds: Set<Lock>;
  /** Waiters without a session. */
  readonly timedPlaces: Set<Waiter>;
  /** Locks that only remember, in the order in which they fell idle, with the time. */
  readonly idle: Map<Lock, number>;
}

export const defaultDomain = 'default';

export function createState(options: MachineOptions, nowMs: number): MachineState {
  return {
    options,
    nextToken: options.firstToken,
    nextLockId: 1,
    nextArrival: 1,
    nextMember: 1,
    ownFromToken: options.firstToken,
    adoptedTokens: new Set(),
    forgottenToken: toToken(options.firstToken - 1),
    recoverUntilMs: nowMs + options.recoveryMs,
    isRecovering: options.recoveryMs > 0,
    adoptUntilMs: nowMs + retentionMs(options),
    tickedMs: nowMs,
    resumedMs: Number.NEGATIVE_INFINITY,
    sessions: new Map(),
    stores: new Map(),
    goneNodes: new Map(),
    locks: new Map(),
    swarms: new Map(),
    lostSessions: new Map(),
    active: new Set(),
    timedHolds: new Set(),
    timedPlaces: new Set(),
    idle: new Map(),
  };
}

/** Identity and type: one of each holds or waits once. */
export function placeKey({ identity, type }: Pick<Claimant, 'identity' | 'type'>): string {
  return `${identity} ${type}`;
}

/** How long a lock is remembered after its last use, in milliseconds. */
export function retentionMs({ completionMs, repeatMs }: MachineOptions): number {
  return Math.max(completionMs, repeatMs);
}

/** The session belongs to its domain from here on. */
export function enterStore({ stores }: MachineState, session: Session): void {
  const sessions = stores.get(session.domain) ?? new Set();
  stores.set(session.domain, sessions.add(session));
}

export function leaveStore({ stores }: MachineState, session: Session): void {
  const sessions = stores.get(session.domain);
  sessions?.delete(session);
  if (sessions?.size === 0) stores.delete(session.domain);
}

export function findLock(state: MachineState, domain: string, resourceId: Digest): Lock | undefined {
  return state.locks.get(lockKey(domain, resourceId));
}

export function lockFor(state: MachineState, domain: string, resourceId: Digest): Lock {
  const known = findLock(state, domain, resourceId);
  if (known) return known;
  const lock: Lock = {
    id: state.nextLockId,
    key: lockKey(domain, resourceId),
    resourceId,
    domain,
    holder: undefined,
    queue: new Queue(),
    endings: new Map(),
    pullDone: undefined,
    lastFailure: undefined,
    contentFailure: undefined,
    refusedUntilMs: Number.NEGATIVE_INFINITY,
    spent: new Map(),
    lastSpent: undefined,
    farewells: new Map(),
    lastToken: toToken(0),
    listeners: 0,
  };
  state.nextLockId += 1;
  state.locks.set(lock.key, lock);
  return lock;
}

function lockKey(domain: string, resourceId: Digest): string {
  return `${domain}\n${resourceId}`;
}

/** Files the lock where it belongs after its holder or queue changed. */
export function refile(state: MachineState, lock: Lock, nowMs: number): void {
  const { holder, queue } = lock;
  const isTimed = holder !== undefined && !(holder.isClaimed && holder.sessionId);
  if (isTimed) state.timedHolds.add(lock);
  else state.timedHolds.delete(lock);
  state.idle.delete(lock);
  if (holder || queue.size > 0) {
    state.active.add(lock);
  } else {
    state.active.delete(lock);
    state.idle.set(lock, nowMs);
  }
}

export function isFresh(state: MachineState, ending: Ending | undefined, nowMs: number): ending is Ending {
  return ending !== undefined && nowMs - ending.atMs < state.options.completionMs;
}
