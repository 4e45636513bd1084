import type { Digest } from '../../core/digest.ts';
import type { NodeId, SessionId } from '../../core/ids.ts';
import type {
  AcquireReply,
  AcquireRequest,
  DeclineRequest,
  Heartbeat,
  OpenSession,
  ReleaseReply,
  ReleaseRequest,
  ResourceRequest,
  SessionInfo,
  SessionSnapshot,
  SourceReply,
  SourceRequest,
  StatusReply,
} from '../locks.ts';

/** Everything that can happen to the lock service. Ids come from outside: the machine makes up nothing. */
export type Command =
  /** `isReturning`: the client named the id itself, as one does that had a session before a restart. */
  | {
      readonly kind: 'open-session';
      readonly request: OpenSession & { readonly sessionId: SessionId };
      readonly isReturning: boolean;
    }
  | { readonly kind: 'close-session'; readonly sessionId: SessionId }
  | { readonly kind: 'renew'; readonly sessionId: SessionId; readonly heartbeat: Heartbeat }
  | { readonly kind: 'stream-opened'; readonly sessionId: SessionId }
  | { readonly kind: 'stream-closed'; readonly sessionId: SessionId }
  /** A client without a session closed the last connection of its node. */
  | { readonly kind: 'node-gone'; readonly nodeId: NodeId }
  | { readonly kind: 'listener-opened'; readonly resourceId: Digest }
  | { readonly kind: 'listener-closed'; readonly resourceId: Digest }
  | { readonly kind: 'acquire'; readonly request: AcquireRequest }
  | { readonly kind: 'release'; readonly request: ReleaseRequest }
  | { readonly kind: 'decline'; readonly request: DeclineRequest }
  | { readonly kind: 'sources'; readonly request: SourceRequest }
  | { readonly kind: 'status'; readonly request: ResourceRequest }
  | { readonly kind: 'tick' };

export type CommandOf<Kind extends Command['kind']> = Extract<Command, { kind: Kind }>;

export type UnknownSession = { readonly kind: 'unknown-session' };
export type SnapshotReply = { readonly kind: 'snapshot'; readonly snapshot: SessionSnapshot };
/** Ask again in `waitMs` milliseconds. */
export type Recovering = { readonly kind: 'recovering'; readonly waitMs: number };
export type StatusAnswer = { readonly kind: 'status'; readonly status: StatusReply };

/** What each command answers. */
export interface Replies {
  readonly 'open-session': SessionInfo;
  readonly 'close-session': undefined;
  readonly renew: SnapshotReply | UnknownSession;
  readonly 'stream-opened': SnapshotReply | UnknownSession;
  readonly 'stream-closed': undefined;
  readonly 'node-gone': undefined;
  readonly 'listener-opened': undefined;
  readonly 'listener-closed': undefined;
  readonly acquire: AcquireReply | UnknownSession | Recovering;
  readonly release: ReleaseReply | UnknownSession;
  readonly decline: ReleaseReply | UnknownSession;
  readonly sources: SourceReply | UnknownSession;
  readonly status: StatusAnswer | UnknownSession;
  readonly tick: undefined;
}
