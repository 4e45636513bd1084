import { type Digest, isDigest } from '../core/digest.ts';
import { isLayerpullError, LayerpullError } from '../core/errors.ts';
import { isLinkLocal } from '../http/addresses.ts';
import { type ImageReference, parseReference } from '../registry/reference.ts';

/** What a request to a mirror asks for. */
export type MirrorTarget =
  | { readonly kind: 'base' }
  | { readonly kind: 'manifest'; readonly reference: ImageReference }
  | { readonly kind: 'blob'; readonly reference: ImageReference & { readonly digest: Digest } }
  /** Part of the distribution API that only the registry itself has. */
  | { readonly kind: 'other' };

const longestUrl = 4_096;
const contentPath = /^(.+)\/(manifests|blobs)\/([^/]+)$/;
const otherPath = /^(_catalog|.+\/(tags\/list|referrers\/[^/]+|blobs\/uploads\/?.*))$/;

/**
 * Reads `/v2/NAME/manifests/REFERENCE` and `/v2/NAME/blobs/DIGEST`. The registry is that of `?ns=` (containerd), or the
 * first part of NAME where that looks like one (podman, skopeo, docker), or Docker Hub (docker's `registry-mirrors`).
 *
 * @param url path and query as they were sent
 * @throws LayerpullError `invalid_reference`, `invalid_digest`; `image_not_found` where nothing can be meant
 */
export function parseTarget(url: string): MirrorTarget {
  if (url.length > longestUrl) throw badName(`a path of ${url.length} characters is too long`);
  const [rawPath = '', query = ''] = url.split('?', 2);
  const path = decode(rawPath);
  if (path === '/v2' || path === '/v2/') return { kind: 'base' };
  if (!path.startsWith('/v2/')) throw nothingAt(path);
  const [, name = '', kind, last = ''] = contentPath.exec(path.slice('/v2/'.length)) ?? [];
  if (kind === undefined) {
    if (otherPath.test(path.slice('/v2/'.length))) return { kind: 'other' };
    throw nothingAt(path);
  }
  if (kind === 'blobs' && !isDigest(last)) {
    throw new LayerpullError('invalid_digest', 'a blob is asked for by something that is no digest');
  }
  const reference = referenceOf(name, last, namespaceOf(query));
  if (kind === 'manifests') return { kind: 'manifest', reference };
  return { kind: 'blob', reference: { ...reference, digest: last as Digest } };
}

/** Escapes are taken back once: no name has a character that would need one. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw badName('the path has a wrong escape');
  }
}

function namespaceOf(query: string): string | undefined {
  const values = new URLSearchParams(query).getAll('ns');
  if (values.length > 1) throw badName('the query names more than one registry');
  return values[0];
}

function referenceOf(name: string, last: string, namespace: string | undefined): ImageReference {
  const suffix = last.includes(':') ? `@${last}` : `:${last}`;
  if (namespace === undefined) return parse(`${withPort(name)}${suffix}`);
  const reference = parse(`${canonical(namespace)}/${name}${suffix}`);
  // What does not look like a registry was taken for a part of the name.
  if (reference.registry.toLowerCase() === canonical(namespace).toLowerCase()) return reference;
  throw badName('the query names no registry');
}

/** The name by which Docker Hub is known, whichever of its hosts somebody has written. */
function canonical(registry: string): string {
  return /^(index|registry-1)\.docker\.io$/.test(registry) ? 'docker.io' : registry;
}

/** `HOST_PORT/…` is `HOST:PORT/…`: a colon cannot stand inside of a name for podman, skopeo and docker. */
function withPort(name: string): string {
  return name.replace(/^((?:[a-z0-9-]+\.)+[a-z0-9-]+|localhost)_(\d{1,5})\//, '$1:$2/');
}

function parse(text: string): ImageReference {
  try {
    const { registry, ...rest } = parseReference(text);
    refuseLinkLocal(registry);
    return { ...rest, registry: canonical(registry.toLowerCase()) };
  } catch (error) {
    if (isLayerpullError(error)) throw badName(error.message);
    throw error;
  }
}

/** Whoever reaches the mirror names the registry, and clouds hand out the credentials of a machine there. */
function refuseLinkLocal(registry: string): void {
  const text = `http://${registry}`;
  // An address has more spellings than one.
  const isRefused = URL.canParse(text) && isLinkLocal(new URL(text).hostname);
  if (isRefused) throw badName(`${registry} is a link-local address, which is not asked`);
}

function badName(problem: string): LayerpullError {
  return new LayerpullError('invalid_reference', problem);
}

function nothingAt(path: string): LayerpullError {
  return new LayerpullError('image_not_found', `there is nothing at ${path.slice(0, 100)}`);
}
