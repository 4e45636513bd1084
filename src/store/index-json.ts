import { readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import * as v from 'valibot';
import { type Descriptor, formatPlatform } from '../core/descriptor.ts';
import { type Digest, isDigest } from '../core/digest.ts';
import { LayerpullError, systemCodeOf } from '../core/errors.ts';
import { replaceFile, storageError } from './files.ts';
import type { RecordedImage } from './image-store.ts';
import { indexPath, ingestPath, type Layout } from './layout.ts';

/** One file in `images/`: the record as JSON, and when it was written. */
export interface StoredImage extends RecordedImage {
  /** The same manifest under OCI's media types, when it came with Docker's. */
  readonly ociForm?: Descriptor;
}

/** OCI image-spec `annotations.md`: the name by which `oci:STORE:NAME` finds a manifest. */
const refName = 'org.opencontainers.image.ref.name';
/** Marks the entries that are derived from `images/`; all others belong to other tools and stay. */
const ours = 'io.layerpull.platform';

const entrySchema = v.looseObject({ annotations: v.optional(v.record(v.string(), v.unknown())) });
const indexSchema = v.looseObject({ manifests: v.array(entrySchema) });
type Entry = v.InferOutput<typeof entrySchema>;
type Index = v.InferOutput<typeof indexSchema>;

const maxRounds = 1_000;

/**
 * Derives `index.json` from the images, and again as long as they changed meanwhile. Whoever writes last has looked
 * after writing, so the last version names every image, however many processes record at once.
 */
export async function rewriteIndex(
  layout: Pick<Layout, 'root'>,
  readImages: () => Promise<readonly StoredImage[]>,
): Promise<void> {
  for (let round = 0; round < maxRounds; round += 1) {
    const text = await readText(indexPath(layout));
    const derived = deriveIndex(await readImages(), parseIndex(text));
    if (derived === text) return;
    await replaceFile(indexPath(layout), derived, ingestPath(layout));
  }
  throw new LayerpullError('store_failed', `${indexPath(layout)} keeps changing`);
}

/** Whether `index.json` says what the images say. Other tools may order it and write it as they like. */
export async function isIndexDerived(
  layout: Pick<Layout, 'root'>,
  images: readonly StoredImage[],
): Promise<boolean> {
  const current = readIndex(await readText(indexPath(layout)));
  if (current?.['schemaVersion'] !== 2) return false;
  const derived = parseIndex(deriveIndex(images, current)).manifests;
  const { manifests } = current;
  return (
    derived.length === manifests.length &&
    derived.every((entry) => manifests.some((one) => isDeepStrictEqual(one, entry)))
  );
}

/**
 * Of the platforms of one name the one recorded last has the name, as with docker: umoci refuses a name that stands
 * there twice, and skopeo takes the first. The others stay without it, found by digest and platform. Entries and fields
 * of other tools stay.
 */
export function deriveIndex(images: readonly StoredImage[], current: Index): string {
  const inOrder = images.toSorted((a, b) => compare(a.name, b.name) || b.recordedAtMs - a.recordedAtMs);
  const names = new Set<unknown>(images.map((image) => image.name));
  const { manifests, ...others } = current;
  const kept = manifests.filter(
    ({ annotations }) => annotations?.[ours] === undefined && !names.has(annotations?.[refName]),
  );
  const index = {
    ...others,
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [...kept, ...inOrder.map((image, at) => entryOf(image, inOrder[at - 1]?.name !== image.name))],
  };
  return JSON.stringify(index, null, 2);
}

function entryOf({ name, platform, manifest, ociForm }: StoredImage, isNamed: boolean): Entry {
  const mark = { [ours]: formatPlatform(platform) };
  const annotations = isNamed ? { [refName]: name, ...mark } : mark;
  return { ...(ociForm ?? manifest), platform, annotations };
}

/** The entries of other tools; undefined while the file cannot be read as an index. */
export async function foreignEntries(
  layout: Layout,
): Promise<readonly { readonly name: string; readonly digest: Digest }[] | undefined> {
  const text = await readText(indexPath(layout));
  const { manifests } = text === '' ? { manifests: [] } : (readIndex(text) ?? {});
  return manifests?.flatMap(({ annotations, digest }) => {
    if (annotations?.[ours] !== undefined || typeof digest !== 'string' || !isDigest(digest)) return [];
    return [{ name: String(annotations?.[refName] ?? digest), digest }];
  });
}

/** What cannot be read now may still hold entries of other tools: only a file that is not there is empty. */
async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') throw storageError(error, `read ${file}`);
    return '';
  }
}

/** A damaged index is derived anew. */
function parseIndex(text: string): Index {
  return readIndex(text) ?? { manifests: [] };
}

function readIndex(text: string): Index | undefined {
  try {
    return v.parse(indexSchema, JSON.parse(text));
  } catch {
    return undefined;
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
