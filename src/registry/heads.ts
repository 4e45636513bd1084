import { withDeadline } from '../core/abort.ts';
import { type Digest, isDigest } from '../core/digest.ts';
import { contentLength } from '../http/limits.ts';
import type { Reader, Wanted } from './documents.ts';
import { manifestUrl } from './endpoint.ts';
import { unreachable } from './failures.ts';
import { acceptedTypes } from './manifest.ts';

/** What a registry says about a manifest without sending it. */
export interface Headed {
  readonly digest: Digest;
  readonly contentType: string | undefined;
  /** Bytes, if it says so. */
  readonly size: number | undefined;
}

/** A registry that cannot answer this soon is asked the long way. */
const answerWithinMs = 10_000;

/**
 * Asks by HEAD which manifest a tag means, or whether the repository has the one of a digest. Registries that limit the
 * rate of pulls count only GET. Once and without retries: undefined means that a GET has to find out, which also
 * makes the error where there is one.
 */
export async function headManifest(
  reader: Reader,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<Headed | undefined> {
  const { base } = wanted.scope.endpoint;
  const late = () => unreachable(base, new Error(`no answer within ${answerWithinMs / 1_000} s`));
  try {
    return await withDeadline(reader.clock, answerWithinMs, signal, late, (within) =>
      headOnce(reader, wanted, within),
    );
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

async function headOnce(
  { access }: Reader,
  { scope, tagOrDigest, digest }: Wanted,
  signal: AbortSignal,
): Promise<Headed | undefined> {
  const url = manifestUrl(scope.endpoint, scope.repository, tagOrDigest);
  const response = await access.get(scope, {
    method: 'HEAD',
    url,
    headers: { accept: acceptedTypes },
    signal,
  });
  await response.discard();
  if (response.status !== 200) return undefined;
  const named = digest ?? response.headers['docker-content-digest'] ?? '';
  const { headers } = response;
  if (!isDigest(named)) return undefined;
  return { digest: named, contentType: headers['content-type'], size: contentLength(headers) };
}
