import type { Digest } from '../core/digest.ts';
import type { NodeId, RequestId, SessionId, StoreId, Token } from '../core/ids.ts';
import type { NodeView } from './nodes.ts';
import type { ListQuery, ResourceView, StatusReply } from './resource-view.ts';
import type { Announcement, Source, SourceGuide, SourceReply, SourceRequest } from './sources.ts';
import type { FailureClass, HolderView, OperationType } from './terms.ts';

export type { ListQuery, ResourceView, StatusReply } from './resource-view.ts';
export type {
  Announcement,
  PeerSource,
  Source,
  SourceGuide,
  SourceReply,
  SourceRequest,
} from './sources.ts';
export type { FailureClass, HolderView, OperationType } from './terms.ts';

/** Who asks, for what. With `sessionId` the session is the identity; without, `nodeId` is (older clients). */
export interface ResourceRequest {
  readonly type: OperationType;
  readonly resourceId: Digest;
  readonly nodeId: NodeId;
  readonly sessionId?: SessionId;
}

export interface AcquireRequest extends ResourceRequest {
  /** The same id asks the same question again: it never enqueues twice. */
  readonly requestId?: RequestId;
  /** Ignores the record of an earlier completion; never takes a lock from its holder. */
  readonly force?: boolean;
  /** The place (1 is next) held before the server restarted; honoured only while the server recovers. */
  readonly position?: number;
}

export type AcquireReply =
  | { readonly kind: 'granted'; readonly token: Token; readonly ttlMs: number; readonly source: Source }
  /** The operation succeeded already (or, for a waiting delete, need not run). */
  | { readonly kind: 'skip'; readonly by?: HolderView }
  /** `position` counts from 1, the next in line. `holder` is absent while the server recovers. */
  | { readonly kind: 'queued'; readonly position: number; readonly holder?: HolderView }
  /** Nothing was enqueued. `reason` says whether the content, a limit, or the no-queue mode refused. */
  | { readonly kind: 'refused'; readonly reason: 'content' | 'limit' | 'taken'; readonly message: string };

export type Outcome =
  | { readonly success: true }
  | { readonly success: false; readonly error: string; readonly class: FailureClass };

export interface ReleaseRequest extends ResourceRequest {
  readonly token?: Token;
  readonly outcome: Outcome;
}

export interface DeclineRequest extends ResourceRequest {
  readonly token?: Token;
}

export type ReleaseReply =
  | { readonly kind: 'released' }
  /** The token was superseded, or the same release came with another outcome. Nothing changed. */
  | { readonly kind: 'conflict'; readonly message: string }
  /** Whoever asks holds nothing here. Nothing changed. */
  | { readonly kind: 'not-holder'; readonly message: string };

export interface OpenSession {
  /** Given by a client that re-opens its session after the server lost it; absent on first contact. */
  readonly sessionId?: SessionId;
  readonly nodeId: NodeId;
  /** Where this node serves layers, when it does. */
  readonly url?: string;
  /** Absent: the domain `default`. A session that is opened again with another goes there with all it has. */
  readonly storeId?: StoreId;
  readonly zone?: string;
}

export interface SessionInfo {
  readonly sessionId: SessionId;
  /** Milliseconds without a heartbeat after which the session is lost. */
  readonly ttlMs: number;
  /** Milliseconds between heartbeats that the server asks for. */
  readonly heartbeatMs: number;
  /** Milliseconds a grant waits to be claimed. */
  readonly claimMs: number;
}

export interface HeldProgress {
  readonly type: OperationType;
  readonly resourceId: Digest;
  readonly token: Token;
  /** Bytes already in the store, and the whole size. */
  readonly offset: number;
  readonly total: number;
}

export interface Heartbeat {
  /** Every lock the session believes to hold: claims grants, and re-asserts them after a restart. */
  readonly held: readonly HeldProgress[];
  readonly announce?: Announcement;
  /** It is about to end: nobody else is sent to it. */
  readonly draining?: boolean;
}

export interface GrantView {
  readonly type: OperationType;
  readonly resourceId: Digest;
  readonly token: Token;
  /** How many wait behind this grant. */
  readonly waiters: number;
}

/** How far a holder is, in bytes, as it last reported. Both are 0 for one that never reports. */
export interface HolderProgress {
  readonly offset: number;
  readonly total: number;
}

export interface PlaceView {
  readonly type: OperationType;
  readonly resourceId: Digest;
  readonly position: number;
  readonly holder?: HolderView;
  /** Of the holder; absent while there is none. */
  readonly progress?: HolderProgress;
}

/** All that a session holds and waits for. A place it had and that is in neither list was answered: ask again. */
export interface SessionSnapshot {
  readonly granted: readonly GrantView[];
  readonly queued: readonly PlaceView[];
  /** Holders of other stores that are told to read from this session. Default 0. */
  readonly children?: number;
}

export type SessionEvent =
  | ({ readonly kind: 'snapshot' } & SessionSnapshot)
  | ({ readonly kind: 'granted' } & GrantView)
  | ({ readonly kind: 'queued' } & PlaceView)
  | {
      readonly kind: 'completed';
      readonly type: OperationType;
      readonly resourceId: Digest;
      readonly by?: HolderView;
    }
  | {
      readonly kind: 'failed';
      readonly type: OperationType;
      readonly resourceId: Digest;
      readonly error: string;
    }
  /** The lock is no longer the session's: stop the work. */
  | {
      readonly kind: 'revoked';
      readonly type: OperationType;
      readonly resourceId: Digest;
      readonly token: Token;
      readonly reason: string;
    }
  /** Read there from now on, from the byte that was reached. */
  | {
      readonly kind: 'source';
      readonly type: OperationType;
      readonly resourceId: Digest;
      readonly token: Token;
      readonly source: Source;
    }
  | { readonly kind: 'ping' };

/** What an older client that listens is told about one resource. */
export interface ResourceEvent {
  readonly type: OperationType;
  readonly resourceId: Digest;
  readonly nodeId: NodeId;
  readonly success: boolean;
  readonly error: string;
  /** Milliseconds since the Unix epoch; absent while nothing completed. */
  readonly completedAtMs?: number;
}

/**
 * The lock service. Every backend and the HTTP client implement it and pass one conformance suite
 * (`test/conformance/locks.ts`).
 *
 * Promises: one holder per (resource, domain); one FIFO queue by arrival; tokens strictly increase; a successful
 * pull answers `skip` to waiting and later pulls; a failure of class `node` grants the head of the queue; a lost
 * session frees what it held. Never promised: that an old holder has stopped.
 *
 * Every method throws LayerpullError: `lock_unreachable`, `session_unknown` when the given session is not known
 * (open it again under its id, then ask again), `lock_denied`, `lock_protocol`. An aborted `signal` throws its reason.
 */
export interface Locks {
  /** `onRefusal` hears why it is not opened yet, where the request is sent once more. */
  openSession(
    request: OpenSession,
    signal?: AbortSignal,
    onRefusal?: (error: Error) => void,
  ): Promise<SessionInfo>;
  /** Frees all that the session holds (as failed, class `node`) and its places. Idempotent. */
  closeSession(sessionId: SessionId, signal?: AbortSignal): Promise<void>;
  renew(sessionId: SessionId, heartbeat: Heartbeat, signal?: AbortSignal): Promise<SessionSnapshot>;
  acquire(request: AcquireRequest, signal?: AbortSignal): Promise<AcquireReply>;
  release(request: ReleaseRequest, signal?: AbortSignal): Promise<ReleaseReply>;
  /** Gives a grant back without an error: the next in the queue gets it. */
  decline(request: DeclineRequest, signal?: AbortSignal): Promise<ReleaseReply>;
  /** A snapshot, then events as they happen. Ends when `signal` aborts or the session closes; throws when broken. */
  watch(sessionId: SessionId, signal: AbortSignal): AsyncIterable<SessionEvent>;
  /** The current state, then each completion and hand-over of one resource in the domain `default`. */
  watchResource(type: OperationType, resourceId: Digest, signal: AbortSignal): AsyncIterable<ResourceEvent>;
  /** Reports how a holder fares with its source, and says where to read on (rule of sources, see docs/guarantees.md). */
  sources(request: SourceRequest, signal?: AbortSignal): Promise<SourceReply>;
  status(request: ResourceRequest, signal?: AbortSignal): Promise<StatusReply>;
  list(query: ListQuery, signal?: AbortSignal): Promise<readonly ResourceView[]>;
  /** Who is there, and who went lately. */
  nodes(signal?: AbortSignal): Promise<readonly NodeView[]>;
  /** Stops timers and connections; idempotent. */
  close(): Promise<void>;
}

/** The locks as one session sees them: what the layer hook works with. */
export interface SessionLocks {
  readonly sessionId: SessionId;
  /** Milliseconds a grant waits to be claimed. */
  readonly claimMs: number;
  /** @throws LayerpullError `lock_unreachable` only where the pull must not go on alone. */
  acquire(request: LayerAcquire, signal: AbortSignal): Promise<LayerReply>;
}

export interface LayerAcquire {
  readonly type: OperationType;
  readonly resourceId: Digest;
  /** Bytes of the whole layer, reported with its progress. */
  readonly total: number;
  readonly force?: boolean;
}

export type LayerReply =
  | { readonly kind: 'granted'; readonly hold: Hold }
  | { readonly kind: 'skip'; readonly by?: HolderView }
  | { readonly kind: 'queued'; readonly place: Place }
  | { readonly kind: 'refused'; readonly reason: 'content' | 'limit' | 'taken'; readonly message: string };

/** A granted lock, or, when nobody coordinates, the permission to go on without one (`token` absent). */
export interface Hold {
  readonly resourceId: Digest;
  readonly token?: Token;
  /** Where it was told to read when it was granted. */
  readonly source: Source;
  /** Where to read from then on. */
  readonly guide: SourceGuide;
  /**
   * Aborts with a `lock_lost` error once the lock belongs to somebody else. For `delete` and `update` also one second
   * before the server may give it away unheard: read it before each step that cannot be taken back.
   */
  readonly revoked: AbortSignal;
  /**
   * Tells how many bytes are in the store; sent with the next heartbeat. With `total` where the size of the whole was
   * not known when the lock was asked for.
   */
  progress(offset: number, total?: number): void;
  /** Ends the hold; idempotent, and never throws: what could not be told ends with the session. */
  release(outcome: Outcome): Promise<void>;
  /** Ends the hold without an error: whoever is next gets the lock, and nobody hears of a failure. As `release`. */
  decline(): Promise<void>;
}

export type PlaceChange =
  | { readonly kind: 'moved'; readonly position: number; readonly holder?: HolderView }
  /** The lock is waiting to be claimed: acquire again within `claimMs`, or decline. */
  | { readonly kind: 'granted'; readonly waiters: number }
  /** The wait is over for another reason (done, failed, lost): look into the store, then acquire again. */
  | { readonly kind: 'ended' }
  /** The holder is too slow: the place was given up, and `hold` is the leave to go on without a lock. */
  | { readonly kind: 'left'; readonly hold: Hold };

/** A place in a queue. */
export interface Place {
  readonly position: number;
  readonly holder?: HolderView;
  /** The next change; buffers what came since the place was taken. */
  next(signal: AbortSignal): Promise<PlaceChange>;
  /** Gives up the grant of this place without an error. Never throws. */
  decline(): Promise<void>;
}
