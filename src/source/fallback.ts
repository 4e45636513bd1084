import type { Descriptor } from '../core/descriptor.ts';
import { LayerpullError, toLayerpullError } from '../core/errors.ts';
import { allFailed, type Failure, hostOf, isOfServer, reasonOf } from './all-failed.ts';
import type { BlobSource, OpenBlob, Standing } from './blob-source.ts';

/** A source with what is known of its server. */
export interface Candidate {
  readonly source: BlobSource;
  /** Whether it failed a moment ago: it is then asked only when all others have failed too. Default: never. */
  readonly isResting?: () => boolean;
  readonly onFailure?: (error: LayerpullError) => void;
}

export interface FallbackOptions {
  /** The url of the registry that the blobs belong to. */
  readonly url: string;
  /**
   * In the order in which they are asked, the registry itself last: its answer counts when all have failed. Not empty.
   * Called for each open.
   */
  readonly candidates: () => Promise<readonly Candidate[]>;
}

/**
 * Several sources as one, read strictly one at a time: whoever fails, the next goes on from the byte that was reached.
 * When all have failed there is one error that lists each one's reason.
 */
export function fallback(options: FallbackOptions): BlobSource {
  return { url: options.url, open: (descriptor, request) => openInTurn(options, descriptor, request) };
}

async function* openInTurn(
  options: FallbackOptions,
  descriptor: Descriptor,
  request: OpenBlob,
): AsyncGenerator<Uint8Array> {
  const failures: Failure[] = [];
  let reached = request.offset ?? 0;
  const candidates = await options.candidates();
  const own = candidates.at(-1)?.source.url ?? options.url;
  for (const candidate of inOrder(candidates, request)) {
    const { source } = candidate;
    const standing = standingOf(source, request);
    if (standing.kind === 'wrong') failures.push(failureOf(source, toLayerpullError(standing.error)));
    if (standing.kind === 'wrong' || standing.kind === 'barred') continue;
    request.onSource?.({ url: source.url, offset: reached, ...reasonAfter(failures) });
    try {
      for await (const chunk of source.open(descriptor, { ...request, offset: reached })) {
        reached += chunk.length;
        yield chunk;
      }
      return;
    } catch (error) {
      failures.push(noteFailure(candidate, error, request.signal));
    }
  }
  throw failures.length > 0 ? allFailed(descriptor.digest, failures, own) : nobodyLeft(descriptor);
}

/** Those that failed a moment ago after the others, and doubtful ones last of all. */
function inOrder(candidates: readonly Candidate[], request: OpenBlob): readonly Candidate[] {
  const rankOf = ({ source, isResting }: Candidate) => {
    if (standingOf(source, request).kind === 'doubtful') return 2;
    return isResting?.() ? 1 : 0;
  };
  return candidates
    .map((candidate) => ({ candidate, rank: rankOf(candidate) }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ candidate }) => candidate);
}

function standingOf({ url }: BlobSource, { standing }: OpenBlob): Standing {
  return standing?.(url) ?? { kind: 'good' };
}

/** @throws what does not speak of the server: nobody else could do better */
function noteFailure({ source, onFailure }: Candidate, error: unknown, signal: AbortSignal): Failure {
  signal.throwIfAborted();
  if (!isOfServer(error)) throw error;
  onFailure?.(error);
  return failureOf(source, error);
}

function failureOf({ url }: BlobSource, error: LayerpullError): Failure {
  return { url, error };
}

function reasonAfter(failures: readonly Failure[]): { readonly reason?: string } {
  const last = failures.at(-1);
  return last ? { reason: `${hostOf(last.url)} ${reasonOf(last)}` } : {};
}

function nobodyLeft({ digest }: Descriptor): LayerpullError {
  return new LayerpullError('registry_failed', `no server is left that may go on with ${digest}`, {
    hint: 'its servers give different bytes; pull again',
  });
}
