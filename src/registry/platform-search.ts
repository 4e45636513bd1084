import { formatPlatform, matchPlatform, normalisePlatform, type Platform } from '../core/descriptor.ts';
import { LayerpullError } from '../core/errors.ts';
import type { Fetched } from './documents.ts';
import { oneLine } from './failures.ts';
import { type Found, partsOf } from './found.ts';
import { expectImage, type ImageIndex, type IndexEntry, kindOfType } from './manifest.ts';
import { follow, maxIndexDepth, tooDeep, type Walk } from './walk.ts';

interface Search {
  readonly walk: Walk;
  readonly platform: Platform;
  /** Everything that the indexes offered, for the error. */
  readonly offered: Set<string>;
}

/** The way to the manifest of one platform: from the first document below the top to the manifest, which is the last. */
interface Way {
  readonly read: readonly Fetched[];
  readonly platform: Platform;
}

const mostNamed = 20;

/** The one manifest for `platform` behind an index. @throws LayerpullError `platform_not_found` */
export async function findPlatform(walk: Walk, index: ImageIndex, platform: Platform): Promise<Found> {
  const search: Search = { walk, platform, offered: new Set() };
  const way = await searchIndex(search, index, 1);
  const last = way?.read.at(-1);
  if (!way || !last) throw platformNotFound(search);
  const parts = partsOf(last.document, expectImage(last.content, walk.name));
  return { platforms: [{ platform: way.platform, ...parts }], attached: [], read: way.read, leftOut: [] };
}

/** The entry that names the platform, else what an index or a manifest without a platform leads to. */
async function searchIndex(search: Search, index: ImageIndex, depth: number): Promise<Way | undefined> {
  const entries = index.entries.filter((entry) => !isAttestation(entry));
  const named = entries.flatMap(({ platform, ...entry }) => (platform ? [{ ...entry, platform }] : []));
  for (const { platform } of named) search.offered.add(oneLine(formatPlatform(normalisePlatform(platform))));
  const place = matchPlatform(
    search.platform,
    named.map(({ platform }) => platform),
  );
  const match = place === undefined ? undefined : named[place];
  if (match) return await goInto(search, index, match, depth);
  const unnamed = entries.filter((entry) => !entry.platform);
  for (const entry of unnamed.filter(({ mediaType }) => kindOfType(mediaType) === 'index')) {
    const way = await goInto(search, index, entry, depth);
    if (way) return way;
  }
  const [only] = entries;
  return entries.length === 1 && only && unnamed.length === 1
    ? await goInto(search, index, only, depth)
    : undefined;
}

/** What build tools add about an image stands under the platform `unknown/unknown`. */
export function isAttestation({ platform }: IndexEntry): boolean {
  return platform?.os === 'unknown' && platform.architecture === 'unknown';
}

async function goInto(
  search: Search,
  index: ImageIndex,
  entry: IndexEntry,
  depth: number,
): Promise<Way | undefined> {
  const fetched = await follow(search.walk, index, entry);
  if (fetched.content.kind !== 'index') {
    return { read: [fetched], platform: normalisePlatform(entry.platform ?? search.platform) };
  }
  if (depth === maxIndexDepth) throw tooDeep(search.walk.name);
  const way = await searchIndex(search, fetched.content, depth + 1);
  return way && { ...way, read: [fetched, ...way.read] };
}

function platformNotFound({ walk, platform, offered }: Search): LayerpullError {
  const names = [...offered].sort();
  const more = names.length > mostNamed ? ` and ${names.length - mostNamed} more` : '';
  const there =
    names.length === 0 ? 'it names none' : `there are ${names.slice(0, mostNamed).join(', ')}${more}`;
  return new LayerpullError(
    'platform_not_found',
    `${walk.name} has no image for ${formatPlatform(platform)}: ${there}`,
    {
      hint: 'choose one with --platform',
    },
  );
}
