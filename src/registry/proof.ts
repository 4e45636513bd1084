import { withDeadline } from '../core/abort.ts';
import { type Digest, isDigest } from '../core/digest.ts';
import { contentLength } from '../http/limits.ts';
import type { AccessResponse } from './access.ts';
import type { Scope } from './auth.ts';
import { fetchDocument, type Reader, type Wanted } from './documents.ts';
import { manifestUrl } from './endpoint.ts';
import { statusError, unreachable } from './failures.ts';
import { acceptedTypes } from './manifest.ts';
import { formatReference, type ImageReference } from './reference.ts';

/** What a registry affirmed about a manifest to one reader. */
export interface ManifestProof {
  readonly digest: Digest;
  /** Bytes; absent where the registry did not say. */
  readonly size?: number;
  readonly mediaType?: string;
  /** The registry did not want to know who reads. */
  readonly isAnonymous: boolean;
}

/** Whoever waits has another way, the registry itself, and goes it once this takes too long. */
const answerWithinMs = 5_000;
/** What the registry means by these it would also say to a GET. */
const final: ReadonlySet<number> = new Set([401, 403, 404, 408, 429, 500, 502, 503, 504]);

/** Asks one server by HEAD; one that does not say enough that way is asked by GET. */
export async function proveManifest(
  reader: Reader,
  scope: Scope,
  reference: ImageReference,
  signal: AbortSignal,
): Promise<ManifestProof> {
  const { digest, tag = 'latest' } = reference;
  const name = formatReference(reference);
  const wanted: Wanted = { scope, name, tagOrDigest: digest ?? tag, ...(digest ? { digest } : {}) };
  const { base } = scope.endpoint;
  const late = () => unreachable(base, new Error(`no answer within ${answerWithinMs / 1_000} s`));
  const headed = await withDeadline(reader.clock, answerWithinMs, signal, late, (within) =>
    head(reader, wanted, within),
  );
  if (headed) return headed;
  const { document } = await fetchDocument(reader, wanted, signal);
  // Who a GET was given to is not told: that it may be shown to everyone must not be concluded from it.
  return { ...document.descriptor, isAnonymous: false };
}

async function head(
  { access }: Reader,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<ManifestProof | undefined> {
  const { scope, name } = wanted;
  const url = manifestUrl(scope.endpoint, scope.repository, wanted.tagOrDigest);
  const request = { method: 'HEAD', url, headers: { accept: acceptedTypes }, signal } as const;
  const response = await access.get(scope, request);
  if (final.has(response.status)) throw await statusError({ kind: 'manifest', name }, response.url, response);
  await response.discard();
  return response.status === 200 ? readHead(wanted, response) : undefined;
}

function readHead({ digest }: Wanted, { headers, account }: AccessResponse): ManifestProof | undefined {
  const named = digest ?? headers['docker-content-digest'] ?? '';
  if (!isDigest(named)) return undefined;
  const size = contentLength(headers);
  const mediaType = headers['content-type'];
  return {
    digest: named,
    ...(size === undefined || size === 0 ? {} : { size }),
    ...(mediaType === undefined ? {} : { mediaType }),
    isAnonymous: account !== undefined && account.from === undefined,
  };
}
