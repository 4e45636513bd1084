import type { Digest } from '../../core/digest.ts';
import type { NodeId, RequestId, SessionId, Token } from '../../core/ids.ts';
import type { HolderView, OpenSession, OperationType } from '../locks.ts';
import type { Queue } from './queue.ts';

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
  /** When another session of its node on its store was opened last. */
  succeededMs: number;
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
  /** Since when bytes come without a long pause; being sent elsewhere is one. */
  flowingMs: number;
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

/** All that have one digest, or are getting it, over all domains. */
export interface Swarm {
  readonly resourceId: Digest;
  readonly members: Map<SessionId, Member>;
  /** Those from whom fewer read than should at most, so that a place is found without looking at all. */
  readonly vacant: Set<Member>;
  readonly fanOut: number;
  /** By the session that is said to serve badly. Absent while nobody complained: there are many swarms. */
  troubles: Map<SessionId, Trouble> | undefined;
}

/** One session in a swarm: it reads, or has all, or both at the end. */
export interface Member {
  readonly swarm: Swarm;
  readonly session: Session;
  /** Counts upwards: ties go to who came first. */
  readonly arrival: number;
  /** Its pull, while there is one. */
  reading: Hold | undefined;
  /** It has the whole resource, and serves it if it serves anything. */
  isComplete: boolean;
  /** Since when. */
  completeMs: number;
  parent: Parent;
  /** Who reads from it. Absent for most: there are many copies. */
  children: Set<Member> | undefined;
  /** Since when anybody reads from it. */
  servingMs: number;
  /** When it was told last where to read. */
  movedMs: number;
  /** At this offset it complained of a source that had no more itself, and was told to wait. */
  starvedAt: number | undefined;
  /** How often its pull began again because bytes were wrong that others had handed on. */
  restarts: number;
  /** It has bytes of one that threw them away as wrong, and has not begun again itself. */
  isSpoilt: boolean;
  /** It may not read from its source before that is complete: till then it is told to wait. */
  isWaiting: boolean;
}

/**
 * Where a member reads. `unknown`: where it read before the service restarted. `none`: it does not read, or it is
 * decided right now.
 */
export type Parent = Member | 'registry' | 'unknown' | 'none';

/** What was said of one source. */
export interface Trouble {
  /** By the domain that complained, with the time. */
  readonly reports: Map<string, number>;
  /** The same, of those that found wrong bytes in what it offers as complete. */
  readonly wrong: Map<string, number>;
  bannedUntilMs: number;
}

/** A session among those that serve and read. */
export interface Peer {
  readonly members: Map<Digest, Member>;
  /** How many read from it, over all digests. */
  children: number;
  /** How many digests it reads from the registry. */
  origins: number;
  isDraining: boolean;
  /** Its session ended. */
  isGone: boolean;
  /** Copies were dropped because there were too many, and it was said. */
  isOverfull: boolean;
  /** When anybody complained of it last, over all digests. */
  blamedMs: number;
}
