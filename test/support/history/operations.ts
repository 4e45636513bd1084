import type { OperationType } from '../../../src/lock/locks.ts';

/** `session ID` or `node NAME`: whom the server takes the caller for. */
export type Identity = string;

/** How a release says that the work ended. */
export type Ended = 'success' | 'node' | 'content';

export interface Claim {
  readonly type: OperationType;
  readonly token: number;
}

export interface Place {
  readonly type: OperationType;
  /** 1 is next. */
  readonly position: number;
  readonly holder?: Identity | undefined;
}

/** What a session was told to hold and to wait for, of one resource. */
export interface Standing {
  readonly granted: readonly Claim[];
  readonly queued: readonly Place[];
}

/** What a client asked of the server, about one resource. Sessions concern all resources of their domain. */
export type Request =
  | { readonly kind: 'open' }
  | { readonly kind: 'close' }
  | { readonly kind: 'renew'; readonly held: readonly Claim[] }
  | {
      readonly kind: 'acquire';
      readonly type: OperationType;
      readonly requestId: string;
      readonly force?: boolean;
      /** The place told before a server that remembers nothing was restarted. */
      readonly position?: number | undefined;
    }
  | {
      readonly kind: 'release';
      readonly type: OperationType;
      readonly token?: number | undefined;
      readonly ended: Ended;
    }
  | { readonly kind: 'decline'; readonly type: OperationType; readonly token?: number | undefined }
  /** The server was killed and runs again, and all it knew is forgotten. */
  | { readonly kind: 'restart' }
  /** Nothing was asked: the stream of the session brought this. */
  | { readonly kind: 'told'; readonly news: News };

export type News =
  | { readonly kind: 'snapshot'; readonly standing: Standing }
  | { readonly kind: 'granted'; readonly type: OperationType; readonly token: number }
  | { readonly kind: 'completed'; readonly type: OperationType }
  | { readonly kind: 'failed'; readonly type: OperationType }
  | { readonly kind: 'revoked'; readonly type: OperationType; readonly token: number };

export type RequestOf<Kind extends Request['kind']> = Extract<Request, { kind: Kind }>;

/** What the server answered. */
export type Answer =
  /** To open, close and restart, and to what the stream told. */
  | { readonly kind: 'done' }
  | { readonly kind: 'unknown-session' }
  | { readonly kind: 'standing'; readonly standing: Standing }
  | { readonly kind: 'granted'; readonly token: number }
  | { readonly kind: 'skip' }
  | { readonly kind: 'queued'; readonly position: number; readonly holder?: Identity | undefined }
  | { readonly kind: 'refused' }
  | { readonly kind: 'released' }
  | { readonly kind: 'conflict' }
  | { readonly kind: 'not-holder' };

/** One operation on one resource, as its client saw it. Times are milliseconds of one clock. */
export interface Operation {
  /** Unique in its history. */
  readonly id: number;
  readonly who: Identity;
  readonly request: Request;
  readonly calledMs: number;
  /** Infinity where no answer came: it may have happened at any time since the call, or not. */
  readonly returnedMs: number;
  /** Absent where no answer came. */
  readonly answer?: Answer;
}

/** What is known of one resource in one domain: the operations that touched it, and what excuses the server. */
export interface ResourceHistory {
  /** For people. */
  readonly name: string;
  readonly operations: readonly Operation[];
  /** When the server was allowed to give up on somebody. */
  readonly absences: ReadonlyMap<Identity, Absence>;
}

/** Times from (inclusive) and to (exclusive), in milliseconds, in order and apart. */
export type Spans = readonly (readonly [number, number])[];

/** When somebody was out of touch for so long that the server may have ended its session, its hold or its place. */
export interface Absence {
  /** For a session: it may be lost as a whole. */
  readonly session: Spans;
  /** Without a session: what it holds may be taken. */
  readonly hold: Spans;
  /** Without a session: its places may lapse. */
  readonly place: Spans;
}

/** The times of the server under test, in milliseconds. */
export interface ServerTimes {
  readonly ttlMs: number;
  readonly graceMs: number;
  readonly claimMs: number;
  /** Given to former holders and waiters to come back, where a restart left nothing. */
  readonly recoveryMs: number;
  readonly stallMs: number;
  readonly nodeGraceMs: number;
  readonly leaseMs: number;
  readonly placeMs: number;
  readonly completionMs: number;
  readonly contentFailureMs: number;
}

/** The defaults of `layerpull serve`; `--session-ttl` moves the first three together. */
export const serverTimes = (ttlMs: number, more: Partial<ServerTimes> = {}): ServerTimes => ({
  ttlMs,
  graceMs: Math.floor(ttlMs / 3),
  claimMs: Math.floor(ttlMs / 3) * 2,
  recoveryMs: 1_000,
  stallMs: 20_000,
  nodeGraceMs: 30_000,
  leaseMs: 600_000,
  placeMs: 15_000,
  completionMs: 600_000,
  contentFailureMs: 60_000,
  ...more,
});
