import type { Digest } from '../../core/digest.ts';
import type { SessionId, Token } from '../../core/ids.ts';
import type {
  AcquireReply,
  AcquireRequest,
  DeclineRequest,
  Heartbeat,
  HolderView,
  OpenSession,
  OperationType,
  ReleaseReply,
  ReleaseRequest,
  ResourceEvent,
  ResourceRequest,
  SessionEvent,
  SessionInfo,
  SessionSnapshot,
  StatusReply,
} from '../locks.ts';

/** Everything that can happen to the lock service. Ids come from outside: the machine makes up nothing. */
export type Command =
  | { readonly kind: 'open-session'; readonly request: OpenSession & { readonly sessionId: SessionId } }
  | { readonly kind: 'close-session'; readonly sessionId: SessionId }
  | { readonly kind: 'renew'; readonly sessionId: SessionId; readonly heartbeat: Heartbeat }
  | { readonly kind: 'stream-opened'; readonly sessionId: SessionId }
  | { readonly kind: 'stream-closed'; readonly sessionId: SessionId }
  | { readonly kind: 'listener-opened'; readonly resourceId: Digest }
  | { readonly kind: 'listener-closed'; readonly resourceId: Digest }
  | { readonly kind: 'acquire'; readonly request: AcquireRequest }
  | { readonly kind: 'release'; readonly request: ReleaseRequest }
  | { readonly kind: 'decline'; readonly request: DeclineRequest }
  | { readonly kind: 'status'; readonly request: ResourceRequest }
  | { readonly kind: 'tick' };

export type UnknownSession = { readonly kind: 'unknown-session' };

/** What each command answers. */
export interface Replies {
  readonly 'open-session': SessionInfo;
  readonly 'close-session': undefined;
  readonly renew: ({ readonly kind: 'snapshot' } & SessionSnapshot) | UnknownSession;
  readonly 'stream-opened': ({ readonly kind: 'snapshot' } & SessionSnapshot) | UnknownSession;
  readonly 'stream-closed': undefined;
  readonly 'listener-opened': undefined;
  readonly 'listener-closed': undefined;
  /** `recovering`: ask again in `waitMs` milliseconds. */
  readonly acquire: AcquireReply | UnknownSession | { readonly kind: 'recovering'; readonly waitMs: number };
  readonly release: ReleaseReply | UnknownSession;
  readonly decline: ReleaseReply | UnknownSession;
  readonly status: StatusReply | UnknownSession;
  readonly tick: undefined;
}

interface LockPlace {
  readonly resourceId: Digest;
  readonly domain: string;
}

/** What a step tells: one session, those who listen to a resource, or the log. */
export type MachineEvent =
  | { readonly kind: 'session'; readonly sessionId: SessionId; readonly event: SessionEvent }
  | { readonly kind: 'session-ended'; readonly sessionId: SessionId }
  | { readonly kind: 'resource'; readonly event: ResourceEvent }
  /** Positions in this queue changed. */
  | ({ readonly kind: 'moved' } & LockPlace)
  | ({ readonly kind: 'log'; readonly what: LogWhat; readonly who: HolderView } & LockPlace & LogFields);

export type LogWhat = 'granted' | 'queued' | 'skipped' | 'released' | 'declined' | 'reclaimed' | 'refused';

export interface LogFields {
  readonly type: OperationType;
  readonly token?: Token;
  readonly position?: number;
  readonly success?: boolean;
  readonly error?: string;
  readonly reason?: string;
  readonly heldMs?: number;
  readonly waitedMs?: number;
}

/** One step under way: the time, and where events are collected. */
export interface Step {
  readonly nowMs: number;
  readonly events: MachineEvent[];
}
