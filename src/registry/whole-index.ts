import {
  type Descriptor,
  formatPlatform,
  matchPlatform,
  normalisePlatform,
  type Platform,
} from '../core/descriptor.ts';
import { LayerpullError } from '../core/errors.ts';
import type { Fetched } from './documents.ts';
import { type Found, partsOf } from './found.ts';
import type { ManifestParts, PlatformImage } from './image-registry.ts';
import { type ImageIndex, type ImageManifest, type IndexEntry, invalid, kindOfType } from './manifest.ts';
import { isAttestation } from './platform-search.ts';
import { follow, maxIndexDepth, tooDeep, type Walk } from './walk.ts';

/** A manifest that some index lists, and how. */
interface Leaf {
  readonly entry: IndexEntry;
  readonly parts: ManifestParts;
  readonly kind: ImageManifest['kind'];
}

interface Tree {
  readonly leaves: Leaf[];
  readonly read: Fetched[];
  readonly leftOut: Descriptor[];
}

/** Documents asked for at the same time. */
const atOnce = 6;
const maxLayers = 10_000;

/**
 * Everything that an index lists, so that it is whole where it is kept. Each platform has one image, the first that
 * names it; what stands for no platform of its own, such as attestations, comes along.
 *
 * @throws LayerpullError `platform_not_found` when there is no image among it
 */
export async function readWholeIndex(walk: Walk, index: ImageIndex, platform: Platform): Promise<Found> {
  const tree: Tree = { leaves: [], read: [], leftOut: [] };
  await readIndex(walk, index, tree, 1);
  const parts = tree.leaves.map((leaf) => leaf.parts);
  refuseManyLayers(walk, parts);
  const platforms = imagesOf(tree.leaves, platform);
  if (platforms.length === 0) throw noImage(walk);
  return { platforms, attached: parts, read: tree.read, leftOut: tree.leftOut };
}

async function readIndex(walk: Walk, index: ImageIndex, tree: Tree, depth: number): Promise<void> {
  const isKnown = ({ mediaType }: IndexEntry) => kindOfType(mediaType) !== undefined;
  const known = index.entries.filter(isKnown);
  for (const entry of index.entries) if (!isKnown(entry)) tree.leftOut.push(plain(entry));
  for (let at = 0; at < known.length; at += atOnce) {
    const group = known.slice(at, at + atOnce);
    const fetched = await Promise.all(group.map((entry) => follow(walk, index, entry)));
    for (const [place, entry] of group.entries()) await take(walk, entry, fetched[place], tree, depth);
  }
}

async function take(
  walk: Walk,
  entry: IndexEntry,
  fetched: Fetched | undefined,
  tree: Tree,
  depth: number,
): Promise<void> {
  if (!fetched) return;
  tree.read.push(fetched);
  const { document, content } = fetched;
  if (content.kind !== 'index') {
    tree.leaves.push({ entry, parts: partsOf(document, content), kind: content.kind });
    return;
  }
  if (depth === maxIndexDepth) throw tooDeep(walk.name);
  await readIndex(walk, content, tree, depth + 1);
}

function plain({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}

/** One for each platform that is named; the one of `wanted` first. A lone image without a platform is that one. */
function imagesOf(leaves: readonly Leaf[], wanted: Platform): PlatformImage[] {
  const images = leaves.filter(({ kind, entry }) => kind === 'image' && !isAttestation(entry));
  const [only] = images;
  if (images.length === 1 && only && !only.entry.platform) return [{ platform: wanted, ...only.parts }];
  const byPlatform = new Map<string, PlatformImage>();
  for (const { entry, parts } of images) {
    if (!entry.platform) continue;
    const platform = normalisePlatform(entry.platform);
    const name = formatPlatform(platform);
    if (!byPlatform.has(name)) byPlatform.set(name, { platform, ...parts });
  }
  return wantedFirst([...byPlatform.values()], wanted);
}

function wantedFirst(images: readonly PlatformImage[], wanted: Platform): PlatformImage[] {
  const place = matchPlatform(
    wanted,
    images.map(({ platform }) => platform),
  );
  const first = images[place ?? 0];
  return first ? [first, ...images.filter((image) => image !== first)] : [];
}

function refuseManyLayers({ name }: Walk, manifests: readonly ManifestParts[]): void {
  const layers = manifests.reduce((sum, manifest) => sum + manifest.layers.length, 0);
  if (layers <= maxLayers) return;
  throw invalid(name, `its index lists ${layers} layers in all, and at most ${maxLayers} are taken`);
}

function noImage({ name }: Walk): LayerpullError {
  return new LayerpullError(
    'platform_not_found',
    `${name} is an index that names no image for any platform`,
    {
      hint: 'layerpull pulls container images; take other artifacts with a tool like oras',
    },
  );
}
