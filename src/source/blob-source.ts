import type { Descriptor } from '../core/descriptor.ts';

export interface OpenBlob {
  /** First byte wanted. Default 0. */
  readonly offset?: number;
  readonly signal: AbortSignal;
  /** Called with true when a limit of ours holds a request back, with false when it goes. */
  readonly onHold?: (holding: boolean) => void;
}

/**
 * Something that gives a blob's bytes: a registry, a peer, or a list of sources tried in turn.
 *
 * The bytes begin exactly at `offset` and go on to the end of the blob as the descriptor states it; they are not
 * verified here: whoever stores them does that. Leaving the loop early frees the connection.
 */
export interface BlobSource {
  /** For people and for results: scheme and host, no credentials. */
  readonly url: string;
  /** @throws LayerpullError `blob_not_found`, `access_denied`, `registry_unreachable`, `registry_failed` … */
  open(descriptor: Descriptor, options: OpenBlob): AsyncIterable<Uint8Array>;
}
