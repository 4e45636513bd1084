import type { Digest } from '../../core/digest.ts';
import { type NodeId, type RequestId, type SessionId, type Token, toToken } from '../../core/ids.ts';
import type { HolderView, OpenSession, OperationType } from '../locks.ts';
import type { MachineOptions } from './options.ts';
import { Queue } from './queue.ts';
import type { Peer, Swarm } from './swarm.ts';

/** `session ID` or `node NAME`: whom a lock or a place belongs to. */
export type Identity = string;

export interface Session {
  readonly id: SessionId;
  readonly nodeId: NodeId;
  domain: string;
  /** What it said of its node when it was opened last. */
  opened: OpenSession;
  /** Opened under an id of its own that was not known here: it may hold locks from before a restart. */
  readonly isReturning: boolean;
  heartbeatMs: number;
  streams: number;
  /** When the last stream broke, while no request came since. */
  cutMs: number | undefined;
  readonly holds: Set<Lock>;
  readonly places: Set<Waiter>;
  /** What it serves and reads. */
  readonly peer: Peer;
}

/** Somebody who wants a lock, or has it. */
export interface Claimant {
  readonly identity: Identity;
  readonly nodeId: NodeId;
  readonly sessionId: SessionId | undefined;
  readonly type: OperationType;
  readonly requestId: RequestId | undefined;
}

export interface Hold extends Claimant {
  readonly token: Token;
  readonly sinceMs: number;
  isClaimed: boolean;
  /** When it was granted, then the last request about it by its holder: what claims and leases count from. */
  seenMs: number;
  offset: number;
  total: number;
  /** When the offset last grew; the grant counts as once. */
  progressedMs: number;
}

export interface Waiter extends Claimant {
  /** `placeKey`: one of each identity and type waits once. */
  readonly key: string;
  readonly lock: Lock;
  /** Counts upwards over all waiters. */
  readonly arrival: number;
  /** The position told before a restart, else infinite: a queue is in the order of ranks, and then of arrivals. */
  readonly rank: number;
  readonly sinceMs: number;
  /** The position told before a restart, while the service recovers; else 0. */
  formerPosition: number;
  seenMs: number;
}

/** How the last operation of a type ended. */
export interface Ending {
  readonly success: boolean;
  readonly error: string;
  readonly by: HolderView;
  readonly atMs: number;
}

/** A token that is spent, and how: repeated releases are answered from here. */
export interface Spent {
  readonly identity: Identity;
  readonly type: OperationType;
  readonly token: Token;
  readonly end: 'success' | 'failure' | 'declined' | 'lost';
  readonly atMs: number;
}

/** Why somebody's place or grant is gone, for the next time they ask. */
export interface Farewell {
  readonly who: Claimant;
  readonly why: /** The request was answered while it waited; the same request is answered again. */
    | { readonly kind: 'done'; readonly by: HolderView }
    /** The content failed. */
    | { readonly kind: 'failed'; readonly error: string }
    /** Nothing was heard of them for too long. */
    | { readonly kind: 'lapsed' };
}

/** One resource in one domain. */
export interface Lock {
  /** Unlike the key short, and never given to another lock. */
  readonly id: number;
  readonly key: string;
  readonly resourceId: Digest;
  readonly domain: string;
  holder: Hold | undefined;
  readonly queue: Queue<Waiter>;
  readonly endings: Map<OperationType, Ending>;
  /** A pull succeeded and nothing was deleted since: later pulls skip. */
  pullDone: Ending | undefined;
  lastFailure: Ending | undefined;
  contentFailure: Ending | undefined;
  /** Until then requests are answered with the last failure of the content. */
  refusedUntilMs: number;
  /** By token, in the order in which they ended. */
  readonly spent: Map<Token, Spent>;
  lastSpent: Spent | undefined;
  /** By `placeKey`. */
  readonly farewells: Map<string, Farewell>;
  /** Highest token under which it was held; 0 when it was not held since the service started. */
  lastToken: Token;
  /** Open streams of older clients. While there are any, the places of clients without a session do not lapse. */
  listeners: number;
}

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
