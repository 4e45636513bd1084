import type { Digest } from '../core/digest.ts';
import type { BlobSource } from '../source/blob-source.ts';
import { createAccess } from './access.ts';
import { createTokens } from './auth.ts';
import { createPasswords } from './basic.ts';
import { createBlobs } from './blobs.ts';
import type { Credentials } from './credentials/credentials.ts';
import { type Fetched, fetchDocument, type Reader } from './documents.ts';
import { createInTurn } from './in-turn.ts';
import { type LineOptions, openLine } from './line.ts';
import { type ManifestProof, proveManifest } from './proof.ts';
import { type ImageReference, nameOf } from './reference.ts';

export type { ManifestProof } from './proof.ts';

/** Registries as one reader sees them. */
export interface RegistryReader {
  /**
   * Asks which manifest a reference means, which proves that this reader may have it. Once, without retries.
   *
   * @throws LayerpullError `image_not_found`, `access_denied`, `registry_unreachable`, `registry_failed` …
   */
  prove(reference: ImageReference, signal: AbortSignal): Promise<ManifestProof>;
  /** The bytes of a manifest or an index, verified. Once, without retries. @throws LayerpullError */
  document(reference: ImageReference, digest: Digest, signal: AbortSignal): Promise<Fetched>;
  /** The blobs of the reference's repository. */
  blobs(reference: ImageReference): BlobSource;
}

/** Many readers on one line. */
export interface Readers {
  as(credentials: Credentials): RegistryReader;
  close(): Promise<void>;
}

export interface ReadersOptions extends LineOptions {
  /** Milliseconds without a byte of a blob until its connection is given up. Default 20,000. */
  readonly stallMs?: number;
}

/**
 * Readers that share connections and nothing else: tokens, and what a server refused, belong to one of them.
 *
 * @throws LayerpullError `usage` for certificate files of `tls` that cannot be used
 */
export function createReaders(options: ReadersOptions): Readers {
  const { clock, mirrors = {}, stallMs } = options;
  const line = openLine(options);
  const closing = new AbortController();
  const closed = closing.signal;
  const bounds = { retries: 0 };
  return {
    as(credentials) {
      const tokens = createTokens({ transport: line.transport, clock, credentials, closed });
      const access = createAccess(line.transport, tokens, createPasswords(credentials, closed));
      const reader: Reader = { access, clock, bounds };
      const inTurn = createInTurn({ servers: line.servers, clock, mirrors, bounds });
      return {
        prove: (reference, signal) =>
          inTurn.first(reference, signal, (scope) => proveManifest(reader, scope, reference, signal)),
        document: (reference, digest, signal) =>
          inTurn.first(reference, signal, (scope) =>
            fetchDocument(
              reader,
              { scope, name: `${nameOf(reference)}@${digest}`, tagOrDigest: digest, digest },
              signal,
            ),
          ),
        blobs: (reference) =>
          inTurn.blobs(reference, line.endpoint(reference.registry).base.origin, (scope) =>
            createBlobs(access, scope, { clock, stallMs }),
          ),
      };
    },
    async close() {
      closing.abort(new Error('the readers of registries are closed'));
      await line.close();
    },
  };
}
