import type { Digest } from '../core/digest.ts';
import type { SessionId, Token } from '../core/ids.ts';
import type { HolderView } from './terms.ts';

/** Where a holder is told to read. */
export type Source = { readonly kind: 'registry' } | PeerSource;

/** Another node that serves the resource. */
export interface PeerSource extends HolderView {
  readonly kind: 'peer';
  /** Base of its peer server, such as `http://10.0.0.12:7041`. */
  readonly url: string;
  readonly sessionId: SessionId;
  /** False: it is still downloading, and serves what comes as it comes. */
  readonly complete: boolean;
}

/**
 * What a node that serves layers has, and has no longer. The service keeps it in memory alone: after a broken stream all
 * is to be told again.
 */
export interface Announcement {
  readonly add: readonly Digest[];
  readonly remove: readonly Digest[];
}

/** How a holder fares with its source, and what it asks. */
export interface SourceRequest {
  readonly sessionId: SessionId;
  readonly resourceId: Digest;
  readonly token: Token;
  /** Bytes it has. */
  readonly offset: number;
  /** The peer that served badly: another one is wanted. Absent: nothing more comes, or it never had a source. */
  readonly bad?: BadSource;
  /** How often it began again because bytes were wrong that others had handed on. Default 0. */
  readonly restarts?: number;
}

export interface BadSource {
  readonly sessionId: SessionId;
  readonly reason: string;
  /** All bytes came from what it offers as complete, and do not match their digest. Default false. */
  readonly wrongBytes?: boolean;
}

/** How a holder fares, without which one it is. */
export type SourceReport = Pick<SourceRequest, 'offset' | 'bad' | 'restarts'>;

export type SourceReply =
  | { readonly kind: 'source'; readonly source: Source }
  /** Stay where you are, or wait: ask again in `retryMs` milliseconds. */
  | { readonly kind: 'wait'; readonly retryMs: number }
  /** Whoever asks does not hold this. */
  | { readonly kind: 'not-holder'; readonly message: string };

/** Where a holder reads, as the lock server sees it. Without a lock server: the registry. */
export interface SourceGuide {
  /** As told last. */
  readonly source: Source;
  /** Calls `listener` whenever the server names another source unasked. Answers how to stop. */
  onMove(listener: (source: Source) => void): () => void;
  /**
   * Reports, and answers where to read on; waits as long as the server says so. Never throws but `signal.reason`: a server
   * that cannot be asked means the registry.
   */
  next(report: SourceReport, signal: AbortSignal): Promise<Source>;
}
