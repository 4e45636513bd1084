import { formatPlatform, matchPlatform, normalisePlatform, type Platform } from '../core/descriptor.ts';
import { LayerpullError } from '../core/errors.ts';
import type { Scope } from './auth.ts';
import { type Fetched, fetchDocument, maxManifestBytes, type Reader } from './documents.ts';
import { oneLine } from './failures.ts';
import type { ResolvedImage } from './image-registry.ts';
import { type ImageIndex, type IndexEntry, invalid, isIndexType } from './manifest.ts';
import { formatReference, type ImageReference } from './reference.ts';

interface Search {
  readonly reader: Reader;
  readonly scope: Scope;
  readonly name: string;
  readonly platform: Platform;
  readonly signal: AbortSignal;
  /** Everything that the indexes offered, for the error. */
  readonly offered: Set<string>;
  /** Documents that may still be fetched. */
  budget: number;
}

/** One platform's manifest. */
interface Found {
  readonly fetched: Fetched;
  readonly platform: Platform;
}

const maxIndexDepth = 4;
const maxDocuments = 16;
const mostNamed = 20;

/** Follows a tag or digest to the manifest for `platform`, through indexes if there are some. */
export async function resolveImage(
  reader: Reader,
  scope: Scope,
  reference: ImageReference,
  platform: Platform,
  signal: AbortSignal,
): Promise<ResolvedImage> {
  const { tag = 'latest', digest } = reference;
  const name = formatReference(reference);
  const wanted = { scope, name, tagOrDigest: digest ?? tag, ...(digest === undefined ? {} : { digest }) };
  const top = await fetchDocument(reader, wanted, signal);
  // The platform of a manifest without an index stands only in its config: it is what the image has, so it is taken.
  if (top.content.kind === 'image')
    return finish(reference, { fetched: top, platform: normalisePlatform(platform) });
  const offered = new Set<string>();
  const search = { reader, scope, name, platform, signal, offered, budget: maxDocuments };
  const found = await searchIndex(search, top.content, 1);
  if (!found) throw platformNotFound(search);
  return finish(reference, found, top);
}

function finish(reference: ImageReference, { fetched, platform }: Found, index?: Fetched): ResolvedImage {
  const { document, content } = fetched;
  if (content.kind !== 'image') throw invalid(formatReference(reference), 'it lists an index as a manifest');
  const { config, layers } = content;
  return {
    reference,
    platform,
    ...(index ? { index: index.document } : {}),
    manifest: document,
    config,
    layers,
  };
}

/** The entry that names the platform, else what an index or a manifest without a platform leads to. */
async function searchIndex(search: Search, index: ImageIndex, depth: number): Promise<Found | undefined> {
  const entries = index.entries.filter((entry) => !isAttestation(entry));
  const named = entries.flatMap(({ platform, ...entry }) => (platform ? [{ ...entry, platform }] : []));
  for (const { platform } of named) search.offered.add(oneLine(formatPlatform(normalisePlatform(platform))));
  const place = matchPlatform(
    search.platform,
    named.map(({ platform }) => platform),
  );
  const match = place === undefined ? undefined : named[place];
  if (match) return await follow(search, match, depth);
  const unnamed = entries.filter((entry) => !entry.platform);
  for (const entry of unnamed.filter(({ mediaType }) => isIndexType(mediaType))) {
    const found = await follow(search, entry, depth);
    if (found) return found;
  }
  const [only] = entries;
  return entries.length === 1 && only && unnamed.length === 1 ? await follow(search, only, depth) : undefined;
}

/** What build tools add about an image stands under the platform `unknown/unknown`. */
function isAttestation({ platform }: IndexEntry): boolean {
  return platform?.os === 'unknown' && platform.architecture === 'unknown';
}

async function follow(search: Search, entry: IndexEntry, depth: number): Promise<Found | undefined> {
  const { reader, scope, name, signal } = search;
  search.budget -= 1;
  if (search.budget < 0) throw invalid(name, `its indexes lead to more than ${maxDocuments} documents`);
  if (entry.size > maxManifestBytes) throw invalid(name, `it lists a manifest of ${entry.size} bytes`);
  const { digest, size } = entry;
  const fetched = await fetchDocument(reader, { scope, name, tagOrDigest: digest, digest, size }, signal);
  if (fetched.content.kind === 'image') {
    return { fetched, platform: normalisePlatform(entry.platform ?? search.platform) };
  }
  if (depth === maxIndexDepth) throw invalid(name, `its indexes lie more than ${maxIndexDepth} deep`);
  return await searchIndex(search, fetched.content, depth + 1);
}

function platformNotFound({ name, platform, offered }: Search): LayerpullError {
  const names = [...offered].sort();
  const more = names.length > mostNamed ? ` and ${names.length - mostNamed} more` : '';
  const there =
    names.length === 0 ? 'it names none' : `there are ${names.slice(0, mostNamed).join(', ')}${more}`;
  return new LayerpullError(
    'platform_not_found',
    `${name} has no image for ${formatPlatform(platform)}: ${there}`,
    {
      hint: 'choose one with --platform',
    },
  );
}
