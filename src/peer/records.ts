import type { FastifyReply, FastifyRequest } from 'fastify';
import { withDeadline } from '../core/abort.ts';
import type { Clock } from '../core/clock.ts';
import { isDigest } from '../core/digest.ts';
import { maxManifestBytes } from '../registry/documents.ts';
import { formatReference, type ImageReference } from '../registry/reference.ts';
import { parseTarget } from './mirror-path.ts';
import type { Allowed, AskOthers, MirrorContent } from './mirror-port.ts';

/** So many others are asked about an image that nobody can ask the registry about. */
const mostAsked = 64;
const answerMs = 2_000;

/**
 * Answers `HEAD /v2/NAME/manifests/TAG?ns=REGISTRY` of another node: what the reference meant when everyone could read
 * it. Undefined: this request was none of these.
 */
export async function answerRecord(
  recorded: MirrorContent['recorded'] | undefined,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply | undefined> {
  const reference = recordAskedFor(request);
  if (!reference || !recorded) return undefined;
  const found = await recorded(reference);
  if (!found) return reply.code(404).send();
  const { digest, size, mediaType } = found;
  reply.header('docker-content-digest', digest);
  if (mediaType !== undefined) reply.header('content-type', mediaType);
  if (size !== undefined) reply.header('content-length', String(size));
  return reply.code(200).send();
}

function recordAskedFor({ method, url }: FastifyRequest): ImageReference | undefined {
  if (method !== 'HEAD' || !url.includes('/manifests/')) return undefined;
  try {
    const target = parseTarget(url);
    return target.kind === 'manifest' ? target.reference : undefined;
  } catch {
    return undefined;
  }
}

/** Path of the question about a reference. */
export function recordPath(reference: ImageReference): string {
  const { registry, repository } = reference;
  const last = reference.digest ?? reference.tag ?? 'latest';
  return `/v2/${repository}/manifests/${last}?ns=${encodeURIComponent(registry)}`;
}

/** What another node answered about a reference; undefined for anything that is no such answer. */
export function recordOf(
  { digest: asked }: ImageReference,
  status: number,
  headers: Readonly<Record<string, string>>,
): Allowed | undefined {
  const { 'docker-content-digest': digest = '', 'content-length': length = '' } = headers;
  const mediaType = headers['content-type'];
  const size = /^\d{1,9}$/.test(length) ? Number(length) : 0;
  if (status !== 200 || !isDigest(digest) || (asked !== undefined && asked !== digest)) return undefined;
  // Without its size nobody but the registry can give it.
  if (size === 0 || size > maxManifestBytes) return undefined;
  return { digest, size, ...(mediaType === undefined ? {} : { mediaType }) };
}

export interface OthersOptions {
  /** Bases of the other nodes' peer servers. Never throws. */
  readonly urls: (signal: AbortSignal) => Promise<readonly string[]>;
  readonly ask: (url: string, reference: ImageReference, signal: AbortSignal) => Promise<Allowed | undefined>;
  readonly clock: Clock;
}

/** Asks other nodes at the same time; the first that knows is believed, as one of the fleet, and ends the others. */
export function asking({ urls, ask, clock }: OthersOptions): AskOthers {
  return async (reference, signal) => {
    const known = new AbortController();
    const late = () => new Error(`nobody knew ${formatReference(reference)} in time`);
    try {
      return await withDeadline(clock, answerMs, signal, late, async (within) => {
        const others = (await urls(within)).slice(0, mostAsked);
        const needed = AbortSignal.any([within, known.signal]);
        return await Promise.any(others.map((url) => knownBy(ask(url, reference, needed))));
      });
    } catch {
      signal.throwIfAborted();
      return undefined;
    } finally {
      known.abort();
    }
  };
}

async function knownBy(answer: Promise<Allowed | undefined>): Promise<Allowed> {
  const found = await answer;
  if (!found) throw new Error('not known there');
  return found;
}
