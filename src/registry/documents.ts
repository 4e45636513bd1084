import { withDeadline } from '../core/abort.ts';
import type { Clock } from '../core/clock.ts';
import { type Digest, digestAlgorithm, digestOf } from '../core/digest.ts';
import { LayerpullError } from '../core/errors.ts';
import { retry } from '../core/retry.ts';
import { contentLength, readWhole } from '../http/limits.ts';
import type { FollowedResponse } from '../http/redirects.ts';
import type { BlobSource } from '../source/blob-source.ts';
import { type RetryBounds, retrying } from '../source/retry-table.ts';
import type { Access } from './access.ts';
import type { Scope } from './auth.ts';
import { manifestUrl } from './endpoint.ts';
import { statusError, unreachable } from './failures.ts';
import type { Document } from './image-registry.ts';
import { acceptedTypes, invalid, type ManifestContent, parseManifest } from './manifest.ts';

export type { RetryBounds } from '../source/retry-table.ts';

export interface Reader {
  readonly access: Access;
  readonly clock: Clock;
  readonly bounds: RetryBounds;
}

export interface Wanted {
  readonly scope: Scope;
  /** For messages. */
  readonly name: string;
  /** Tag or digest. */
  readonly tagOrDigest: string;
  /** What the content must have. Absent for a tag. */
  readonly digest?: Digest;
  /** Bytes, if a descriptor declared them. */
  readonly size?: number;
}

export interface Fetched {
  readonly document: Document;
  readonly content: ManifestContent;
}

export const maxManifestBytes = 4 * 1_048_576;
/** Silence is noticed earlier; this ends a reply that drips. */
const replyWithinMs = 60_000;

/** Fetches one manifest or index, verified against the digest if there is one, with retries. */
export async function fetchDocument(reader: Reader, wanted: Wanted, signal: AbortSignal): Promise<Fetched> {
  const { clock, bounds } = reader;
  return await retry(() => fetchWithin(reader, wanted, signal), {
    ...retrying('manifest', bounds),
    clock,
    signal,
  });
}

/** One document of one registry as a source, which reads it with retries and gives nothing that is not verified. */
export function documentSource(reader: Reader, wanted: Wanted): BlobSource {
  const url = wanted.scope.endpoint.base.origin;
  return {
    url,
    async *open(_, { offset = 0, signal, onSource }) {
      onSource?.({ url, offset });
      const { document } = await fetchDocument(reader, wanted, signal);
      yield document.bytes.subarray(offset);
    },
  };
}

async function fetchWithin(reader: Reader, wanted: Wanted, signal: AbortSignal): Promise<Fetched> {
  const { base } = wanted.scope.endpoint;
  const late = () => unreachable(base, new Error(`no manifest within ${replyWithinMs / 1_000} s`));
  return await withDeadline(reader.clock, replyWithinMs, signal, late, (within) =>
    fetchOnce(reader, wanted, within),
  );
}

async function fetchOnce({ access }: Reader, wanted: Wanted, signal: AbortSignal): Promise<Fetched> {
  const { scope, name } = wanted;
  const url = manifestUrl(scope.endpoint, scope.repository, wanted.tagOrDigest);
  const response = await access.get(scope, { url, headers: { accept: acceptedTypes }, signal });
  if (response.status !== 200) throw await statusError({ kind: 'manifest', name }, response.url, response);
  const bytes = await readManifest(response, name, signal);
  return toFetched(bytes, response.headers['content-type'], wanted);
}

/**
 * Bytes as what was wanted, wherever they came from.
 *
 * @throws LayerpullError `digest_mismatch`, `size_mismatch`, `invalid_manifest`, `unsupported_manifest`
 */
export function toFetched(bytes: Uint8Array, contentType: string | undefined, wanted: Wanted): Fetched {
  const descriptor = { digest: checkedDigest(bytes, wanted), size: bytes.length };
  const content = parseManifest(bytes, contentType, wanted.name);
  return { document: { descriptor: { mediaType: content.mediaType, ...descriptor }, bytes }, content };
}

async function readManifest(response: FollowedResponse, name: string, signal: AbortSignal): Promise<Buffer> {
  const tooLong = () => invalid(name, `it is longer than ${maxManifestBytes} bytes`);
  const length = contentLength(response.headers);
  if (length !== undefined && length > maxManifestBytes) {
    await response.discard();
    throw tooLong();
  }
  try {
    return await readWhole(response.body, maxManifestBytes, tooLong);
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof LayerpullError ? error : unreachable(response.url, error);
  }
}

/** The digest of the bytes. What the registry says in a header about it counts for nothing. */
function checkedDigest(bytes: Uint8Array, { digest, size, name }: Wanted): Digest {
  const computed = digestOf(bytes, digest === undefined ? 'sha256' : digestAlgorithm(digest));
  if (digest !== undefined && computed !== digest) {
    throw new LayerpullError(
      'digest_mismatch',
      `the manifest of ${name} is ${computed} and should be ${digest}`,
      {
        hint: 'the registry or something before it sends wrong content',
      },
    );
  }
  if (size !== undefined && bytes.length !== size) {
    throw new LayerpullError(
      'size_mismatch',
      `manifest ${computed} of ${name} has ${bytes.length} bytes, not ${size}`,
      {
        hint: 'the index that lists it was pushed wrongly',
      },
    );
  }
  return computed;
}
