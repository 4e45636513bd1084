import type { Digest } from '../../src/core/digest.ts';

/** What the test program `lock-client` is started with. */
export interface LockClientOptions {
  readonly server: string;
  readonly nodeId: string;
  /** Milliseconds without the server before the client goes on alone. Default 20,000: a slow machine is no fault. */
  readonly outOfReachMs?: number;
  /** Milliseconds between heartbeats while there is no stream. Default 100. */
  readonly pollMs?: number;
  /** Milliseconds between two tries of a request. Default 100. */
  readonly retryDelayMs?: number;
}

/** A line on its stdin. */
export type LockCommand =
  /** Asks, waits in the queue and asks again at its turn. With `holdsBack` it only says that its turn came. */
  | { readonly do: 'acquire'; readonly resource: Digest; readonly holdsBack?: boolean }
  /** Without `error` as a success. */
  | { readonly do: 'release'; readonly resource: Digest; readonly error?: string }
  | { readonly do: 'decline'; readonly resource: Digest }
  | { readonly do: 'progress'; readonly resource: Digest; readonly offset: number }
  | { readonly do: 'close' };

/** A line on its stdout. */
export type LockLine =
  | { readonly kind: 'ready'; readonly sessionId: string }
  /** Without a token nobody coordinates. */
  | { readonly kind: 'granted'; readonly resource: Digest; readonly token?: number }
  | { readonly kind: 'queued'; readonly resource: Digest; readonly position: number }
  | { readonly kind: 'moved'; readonly resource: Digest; readonly position: number }
  /** The turn of a client that holds back. */
  | { readonly kind: 'offered'; readonly resource: Digest }
  /** The wait ended without a grant; it asks again. */
  | { readonly kind: 'ended'; readonly resource: Digest }
  | { readonly kind: 'skip'; readonly resource: Digest }
  | { readonly kind: 'released'; readonly resource: Digest }
  | { readonly kind: 'declined'; readonly resource: Digest }
  | { readonly kind: 'reported'; readonly resource: Digest }
  | { readonly kind: 'refused'; readonly resource: Digest; readonly reason: string }
  /** The lock belongs to somebody else. */
  | { readonly kind: 'revoked'; readonly resource: Digest; readonly reason: string }
  /** A command could not be carried out. */
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'warning'; readonly reason: string }
  | { readonly kind: 'closed' };

export type LockLineOf<Kind extends LockLine['kind']> = Extract<LockLine, { kind: Kind }>;
