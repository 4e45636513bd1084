import { readFile } from 'node:fs/promises';
import * as v from 'valibot';
import { type Descriptor, formatPlatform } from '../core/descriptor.ts';
import { LayerpullError } from '../core/errors.ts';
import { replaceFile } from './files.ts';
import type { ImageRecord } from './image-store.ts';
import { indexPath, type Layout } from './layout.ts';

/** One file in `images/`: the record as JSON, and when it was written. */
export interface StoredImage extends ImageRecord {
  /** The same manifest under OCI's media types, when it came with Docker's. */
  readonly ociForm?: Descriptor;
  /** Milliseconds since the Unix epoch. */
  readonly recordedAtMs: number;
}

/** OCI image-spec `annotations.md`: the name by which `oci:STORE:NAME` finds a manifest. */
const refName = 'org.opencontainers.image.ref.name';
/** Marks the entries that are derived from `images/`; all others belong to other tools and stay. */
const ours = 'io.layerpull.platform';

const entrySchema = v.looseObject({ annotations: v.optional(v.record(v.string(), v.string())) });
const indexSchema = v.looseObject({ manifests: v.array(entrySchema) });
type Entry = v.InferOutput<typeof entrySchema>;

const maxRounds = 1_000;

/**
 * Derives `index.json` from the images, and again as long as they changed meanwhile. Whoever writes last has looked
 * after writing, so the last version names every image, however many processes record at once.
 */
export async function rewriteIndex(
  layout: Layout,
  readImages: () => Promise<readonly StoredImage[]>,
): Promise<void> {
  let written = await readFile(indexPath(layout), 'utf8').catch(() => '');
  for (let round = 0; round < maxRounds; round += 1) {
    const derived = deriveIndex(await readImages(), await foreignEntries(layout));
    if (derived === written) return;
    await replaceFile(indexPath(layout), derived);
    written = derived;
  }
  throw new LayerpullError('store_failed', `${indexPath(layout)} keeps changing`);
}

/** The image recorded last comes first among those of one name: tools that take the first match get it. */
export function deriveIndex(images: readonly StoredImage[], foreign: readonly Entry[]): string {
  const inOrder = images.toSorted((a, b) => compare(a.name, b.name) || b.recordedAtMs - a.recordedAtMs);
  const names = new Set(images.map((image) => image.name));
  const kept = foreign.filter((entry) => !names.has(entry.annotations?.[refName] ?? ''));
  const index = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [...kept, ...inOrder.map(entryOf)],
  };
  return JSON.stringify(index, null, 2);
}

function entryOf({ name, platform, manifest, ociForm }: StoredImage): Entry {
  return {
    ...(ociForm ?? manifest),
    platform,
    annotations: { [refName]: name, [ours]: formatPlatform(platform) },
  };
}

async function foreignEntries(layout: Layout): Promise<Entry[]> {
  const text = await readFile(indexPath(layout), 'utf8').catch(() => '');
  try {
    const { manifests } = v.parse(indexSchema, JSON.parse(text));
    return manifests.filter((entry) => entry.annotations?.[ours] === undefined);
  } catch {
    return [];
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
