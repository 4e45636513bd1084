import type { Digest } from '../../core/digest.ts';
import { type NodeId, type RequestId, type SessionId, type Token, toToken } from '../../core/ids.ts';
import type { HolderView, OperationType, ResourceRequest } from '../locks.ts';
import type { MachineOptions } from './options.ts';

/** `session ID` or `node NAME`: whom a lock or a place belongs to. */
export type Identity = string;

export interface Session {
  readonly id: SessionId;
  readonly nodeId: NodeId;
  readonly domain: string;
  /** Last word of any kind. */
  seenMs: number;
  streams: number;
  /** When the last stream ended without another being open. */
  streamEndedMs: number | undefined;
  readonly holds: Set<Lock>;
  readonly places: Set<Lock>;
}

interface Claimant {
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
  /** Last request about this lock by its holder; what leases of holders without a session count from. */
  seenMs: number;
  offset: number;
  total: number;
}

export interface Waiter extends Claimant {
  readonly sinceMs: number;
  /** The place told before a restart; orders the queue when the recovery ends. */
  readonly formerPosition: number;
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
  readonly token: Token;
  readonly end: 'success' | 'failure' | 'declined' | 'lost';
  readonly atMs: number;
}

/** One resource in one domain. */
export interface Lock {
  readonly key: string;
  readonly resourceId: Digest;
  readonly domain: string;
  holder: Hold | undefined;
  /** FIFO by insertion; keyed by identity and type, so that asking again finds the place. */
  readonly queue: Map<string, Waiter>;
  readonly endings: Map<OperationType, Ending>;
  /** A pull succeeded and nothing was deleted since: later pulls skip. */
  pullDone: Ending | undefined;
  contentFailures: Ending[];
  spent: Spent[];
  lastToken: Token;
  /** Open streams of older clients, which keep the places of those clients. */
  listeners: number;
}

export interface MachineState {
  readonly options: MachineOptions;
  nextToken: Token;
  recoverUntilMs: number;
  isRecovering: boolean;
  tickedMs: number | undefined;
  readonly sessions: Map<SessionId, Session>;
  readonly locks: Map<string, Lock>;
  /** Locks in use: with a holder or waiters. */
  readonly active: Set<Lock>;
  /** Locks whose holder or waiters need a look at each tick. */
  readonly timed: Set<Lock>;
  /** Locks that only remember, in the order in which they fell idle, with the time. */
  readonly idle: Map<Lock, number>;
}

export function createState(options: MachineOptions, nowMs: number): MachineState {
  return {
    options,
    nextToken: options.firstToken,
    recoverUntilMs: nowMs + options.recoveryMs,
    isRecovering: options.recoveryMs > 0,
    tickedMs: undefined,
    sessions: new Map(),
    locks: new Map(),
    active: new Set(),
    timed: new Set(),
    idle: new Map(),
  };
}

/** Who asks, and in which domain. */
export interface Caller {
  readonly identity: Identity;
  readonly nodeId: NodeId;
  readonly session: Session | undefined;
  readonly domain: string;
}

export const defaultDomain = 'default';

/** Undefined for a session that is not known. */
export function callerOf(
  state: MachineState,
  request: Pick<ResourceRequest, 'nodeId' | 'sessionId'>,
): Caller | undefined {
  const { nodeId, sessionId } = request;
  if (sessionId === undefined) {
    return { identity: `node ${nodeId}`, nodeId, session: undefined, domain: defaultDomain };
  }
  const session = state.sessions.get(sessionId);
  return session && { identity: identityOf(sessionId), nodeId, session, domain: session.domain };
}

export function identityOf(sessionId: SessionId): Identity {
  return `session ${sessionId}`;
}

export function findLock(state: MachineState, domain: string, resourceId: Digest): Lock | undefined {
  return state.locks.get(`${domain}\n${resourceId}`);
}

export function lockFor(state: MachineState, domain: string, resourceId: Digest): Lock {
  const known = findLock(state, domain, resourceId);
  if (known) return known;
  const lock: Lock = {
    key: `${domain}\n${resourceId}`,
    resourceId,
    domain,
    holder: undefined,
    queue: new Map(),
    endings: new Map(),
    pullDone: undefined,
    contentFailures: [],
    spent: [],
    lastToken: toToken(0),
    listeners: 0,
  };
  state.locks.set(lock.key, lock);
  return lock;
}

/** Files the lock where it belongs after its holder or queue changed. */
export function refile(state: MachineState, lock: Lock, nowMs: number): void {
  const isActive = lock.holder !== undefined || lock.queue.size > 0;
  state.idle.delete(lock);
  if (isActive) {
    state.active.add(lock);
    if (needsTime(lock)) state.timed.add(lock);
    return;
  }
  state.active.delete(lock);
  state.timed.delete(lock);
  state.idle.set(lock, nowMs);
}

function needsTime({ holder, queue }: Lock): boolean {
  if (holder && (!holder.isClaimed || !holder.sessionId)) return true;
  for (const waiter of queue.values()) if (!waiter.sessionId) return true;
  return false;
}

export function placeKey(identity: Identity, type: OperationType): string {
  return `${identity} ${type}`;
}

/** 1 for the head of the queue. */
export function positionOf(lock: Lock, wanted: Waiter): number {
  let position = 1;
  for (const waiter of lock.queue.values()) {
    if (waiter === wanted) return position;
    position += 1;
  }
  return position;
}

export function viewOf({ nodeId, sessionId }: Claimant): HolderView {
  return { nodeId, ...(sessionId === undefined ? {} : { sessionId }) };
}
