import type { Descriptor } from '../core/descriptor.ts';

/**
 * How far a source may be trusted with a blob, by what its bytes turned out to be before.
 *
 * `doubtful`: it had a part in wrong bytes, so the others come first. `barred`: its bytes may not stand beside those
 * that are there. `wrong`: what it gave is known to be wrong, as `error` says.
 */
export type Standing =
  | { readonly kind: 'good' | 'doubtful' | 'barred' }
  | { readonly kind: 'wrong'; readonly error: unknown };

/** One source that is about to be read. */
export interface SourceUse {
  /** The source's. */
  readonly url: string;
  /** First byte asked of it. */
  readonly offset: number;
  /** Why the source before it was left, on one line. Absent for the first. */
  readonly reason?: string;
}

export interface OpenBlob {
  /** First byte wanted. Default 0. */
  readonly offset?: number;
  readonly signal: AbortSignal;
  /** Called with true when a limit of ours holds a request back, with false when it goes. */
  readonly onHold?: (holding: boolean) => void;
  /** Asked about each of several sources, by url, before it is read. Default: all are good. */
  readonly standing?: (url: string) => Standing;
  /** How often it began again because bytes were wrong that peers had handed on. Default 0. */
  readonly restarts?: number;
  /** Hears of each source before it is asked. Bytes that come then are its bytes. */
  readonly onSource?: (use: SourceUse) => void;
}

/**
 * Something that gives a blob's bytes: a registry, a peer, or a list of sources tried in turn.
 *
 * The bytes begin exactly at `offset` and go on to the end of the blob as the descriptor states it; they are not
 * verified here: whoever stores them does that. Leaving the loop early frees the connection.
 */
export interface BlobSource {
  /** For people and for results: scheme and host, and the path of a mirror that has one; no credentials. */
  readonly url: string;
  /** @throws LayerpullError `blob_not_found`, `access_denied`, `registry_unreachable`, `registry_failed` … */
  open(descriptor: Descriptor, options: OpenBlob): AsyncIterable<Uint8Array>;
}
