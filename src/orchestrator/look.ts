import { type Descriptor, formatPlatform, type Platform } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import { LayerpullError } from '../core/errors.ts';
import type { RecordedImage } from '../store/image-store.ts';
import { type ManifestContent, type RunConfig, readManifest, readRunConfig } from './image-content.ts';
import { findImages, type ImageQuery, ofPlatform } from './image-query.ts';

/** A store that is only looked at. */
export interface ReadableStore {
  readonly path: string;
  images(): Promise<readonly RecordedImage[]>;
  /** A document's verified bytes; undefined where it is not there, not whole, or too large for one. */
  read(digest: Digest): Promise<Uint8Array | undefined>;
  has(descriptor: Descriptor): Promise<boolean>;
}

/** One line of `images`. */
export interface ListedImage {
  /** The full normalised reference. */
  readonly name: string;
  /** What the name stands for: the index's digest where there is one. */
  readonly digest: Digest;
  readonly manifestDigest: Digest;
  /** `os/arch[/variant]` */
  readonly platform: string;
  /** Bytes of its manifest, config and layers as they lie in the store; absent when the manifest is not there. */
  readonly size?: number;
  /** Milliseconds since the Unix epoch. */
  readonly pulledAtMs: number;
}

/** The images of a store, the latest first. */
export async function listImages(store: ReadableStore): Promise<ListedImage[]> {
  const images = await store.images();
  const listed = await Promise.all(images.map((image) => toListed(image, store)));
  return listed.sort((a, b) => b.pulledAtMs - a.pulledAtMs || (a.name < b.name ? -1 : 1));
}

async function toListed(image: RecordedImage, store: ReadableStore): Promise<ListedImage> {
  const { name, platform, manifest, index, recordedAtMs } = image;
  const content = await manifestOf(image, store);
  return {
    name,
    digest: (index ?? manifest).digest,
    manifestDigest: manifest.digest,
    platform: formatPlatform(platform),
    ...(content ? { size: sizeOf(manifest, content) } : {}),
    pulledAtMs: recordedAtMs,
  };
}

/** Each digest counts once, as it lies in the store once. */
function sizeOf(manifest: Descriptor, { config, layers }: ManifestContent): number {
  const sizes = new Map([manifest, config, ...layers].map(({ digest, size }) => [digest, size]));
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}

export interface StoredBlob extends Descriptor {
  /** False: it is gone from the store, or cut short. */
  readonly present: boolean;
}

/** What `inspect` says of one platform of an image. */
export interface ImageDetails extends ListedImage {
  readonly mediaType: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly config: StoredBlob;
  readonly layers: readonly StoredBlob[];
  /** Absent when the config is not there, or is none of an image. */
  readonly run?: RunConfig;
}

/**
 * Describes the image that is meant; of several platforms the one asked for, else the one pulled last.
 *
 * @throws LayerpullError `image_not_found`, `ambiguous_digest`, `platform_not_found`; `blob_not_found` when its manifest
 *   is not in the store any more
 */
export async function inspectImage(
  query: ImageQuery,
  platform: Platform | undefined,
  store: ReadableStore,
): Promise<ImageDetails> {
  const blobsOf = async (image: { readonly manifest: Descriptor }) => {
    const content = await manifestOf(image, store);
    return content ? { config: content.config.digest, all: [] } : { all: [] };
  };
  const recorded = await store.images();
  const found = await findImages(query, recorded, blobsOf);
  const suiting = new Set(ofPlatform(query, found.images, platform));
  const [image] = recorded.filter((one) => suiting.has(one)).sort((a, b) => b.recordedAtMs - a.recordedAtMs);
  if (!image) throw new LayerpullError('image_not_found', `there is no image ${query.text} in the store`);
  return await describe(image, store);
}

async function describe(image: RecordedImage, store: ReadableStore): Promise<ImageDetails> {
  const content = await manifestOf(image, store);
  if (!content) throw lostManifest(image);
  const look = async ({ mediaType, digest, size }: Descriptor): Promise<StoredBlob> => ({
    ...{ mediaType, digest, size },
    present: await store.has({ mediaType, digest, size }),
  });
  const configBytes = await store.read(content.config.digest);
  const run = configBytes && readRunConfig(configBytes);
  return {
    ...(await toListed(image, store)),
    mediaType: image.manifest.mediaType,
    annotations: content.annotations,
    config: await look(content.config),
    layers: await Promise.all(content.layers.map(look)),
    ...(run ? { run } : {}),
  };
}

async function manifestOf(
  { manifest }: { readonly manifest: Descriptor },
  store: ReadableStore,
): Promise<ManifestContent | undefined> {
  const bytes = await store.read(manifest.digest);
  return bytes && readManifest(bytes);
}

function lostManifest({ name, manifest }: RecordedImage): LayerpullError {
  return new LayerpullError(
    'blob_not_found',
    `the manifest ${manifest.digest} of ${name} is not in the store`,
    {
      origin: 'store',
      hint: `bring it back with: layerpull pull ${name}`,
    },
  );
}
