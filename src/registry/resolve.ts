import { normalisePlatform } from '../core/descriptor.ts';
import type { Scope } from './auth.ts';
import type { Fetched, Reader } from './documents.ts';
import { type Found, partsOf } from './found.ts';
import type { Document, ManifestParts, ResolvedImage, ResolveOptions } from './image-registry.ts';
import { expectImage } from './manifest.ts';
import { findPlatform } from './platform-search.ts';
import { formatReference, type ImageReference } from './reference.ts';
import { fetchTop, type Walk } from './walk.ts';
import { readWholeIndex } from './whole-index.ts';

/** Documents that an index may lead to: enough for every way to one platform, and for every real index as a whole. */
const maxDocuments = { ofOne: 16, ofAll: 256 };

/**
 * Follows a tag or digest to the manifest for a platform, through indexes if there are some, or to all that its index
 * lists.
 */
export async function resolveImage(
  reader: Reader,
  scope: Scope,
  reference: ImageReference,
  options: ResolveOptions,
  signal: AbortSignal,
): Promise<ResolvedImage> {
  const { tag = 'latest', digest } = reference;
  const name = formatReference(reference);
  const most = options.allPlatforms ? maxDocuments.ofAll : maxDocuments.ofOne;
  const { stored, shared } = options;
  const walk = { reader, scope, name, stored, shared, signal, budget: most, maxDocuments: most };
  const wanted = { scope, name, tagOrDigest: digest ?? tag, ...(digest === undefined ? {} : { digest }) };
  const top = await fetchTop(walk, wanted);
  return assemble(reference, top, await findBehind(walk, top, options));
}

async function findBehind(
  walk: Walk,
  { document, content }: Fetched,
  options: ResolveOptions,
): Promise<Found> {
  const platform = normalisePlatform(options.platform);
  if (content.kind === 'index') {
    return await (options.allPlatforms ? readWholeIndex : findPlatform)(walk, content, platform);
  }
  // The platform of a manifest without an index stands only in its config: it is what the image has, so it is taken.
  const image = { platform, ...partsOf(document, expectImage(content, walk.name)) };
  return { platforms: [image], attached: [], read: [], leftOut: [] };
}

function assemble(reference: ImageReference, top: Fetched, found: Found): ResolvedImage {
  const { platforms, attached, leftOut } = found;
  const [main] = platforms;
  if (!main) throw new Error('a search that finds nothing has to say so');
  const read = [top, ...found.read];
  return {
    reference,
    ...main,
    ...(top.content.kind === 'index' ? { index: top.document } : {}),
    platforms,
    manifests: uniqueManifests([...platforms, ...attached]),
    documents: inOrderOfWriting(read.map(({ document }) => document)),
    embedded: new Map(read.flatMap(({ content }) => [...content.embedded])),
    leftOut,
  };
}

function uniqueManifests(all: readonly ManifestParts[]): ManifestParts[] {
  const byDigest = new Map<string, ManifestParts>();
  for (const { manifest, config, layers } of all) {
    const { digest } = manifest.descriptor;
    if (!byDigest.has(digest)) byDigest.set(digest, { manifest, config, layers });
  }
  return [...byDigest.values()];
}

/** Each once, behind all that it lists: from the last that was read to the top. */
function inOrderOfWriting(read: readonly Document[]): Document[] {
  return [...new Map(read.toReversed().map((one) => [one.descriptor.digest, one])).values()];
}
