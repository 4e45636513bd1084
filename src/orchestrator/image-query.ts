import { formatPlatform, type Platform } from '../core/descriptor.ts';
import { type Digest, isDigestPrefix } from '../core/digest.ts';
import { LayerpullError } from '../core/errors.ts';
import type { ImageReference } from '../registry/reference.ts';
import type { ImageRecord } from '../store/image-store.ts';
import type { ImageBlobs } from '../store/references.ts';

/** How a user names an image that is in the store. */
export interface ImageQuery {
  /** As it was typed. */
  readonly text: string;
  /** Undefined when the text is no image reference, as a digest is none. */
  readonly reference?: ImageReference;
  /** The full normalised form of `reference`. */
  readonly name?: string;
}

export interface FoundImages {
  readonly images: readonly ImageRecord[];
  /** By name: also of all platforms of that name. By digest: all images that have it. */
  readonly by: 'name' | 'digest';
}

/**
 * The images that are meant, as docker and podman understand it: a name; NAME@DIGEST; or a digest or its beginning, of
 * the manifest, of the index, or of the config, which is what docker shows as image id. A name wins over a digest.
 *
 * @throws LayerpullError `image_not_found`; `ambiguous_digest` when several digests begin like that
 */
export async function findImages(
  query: ImageQuery,
  images: readonly ImageRecord[],
  blobsOf: (image: ImageRecord) => Promise<ImageBlobs>,
): Promise<FoundImages> {
  const named = images.filter((image) => isNamed(image, query));
  if (named.length > 0) return { images: named, by: 'name' };
  const found = isDigestPrefix(query.text) ? await findByDigest(query.text, images, blobsOf) : [];
  if (found.length > 0) return { images: found, by: 'digest' };
  throw new LayerpullError('image_not_found', `there is no image ${query.name ?? query.text} in the store`, {
    origin: 'store',
    hint: 'give a name with its tag, NAME@DIGEST, or the beginning of a digest',
  });
}

/** @throws LayerpullError `platform_not_found` */
export function ofPlatform(
  query: ImageQuery,
  images: readonly ImageRecord[],
  platform: Platform | undefined,
): readonly ImageRecord[] {
  if (!platform) return images;
  const wanted = formatPlatform(platform);
  const suiting = images.filter((image) => formatPlatform(image.platform) === wanted);
  if (suiting.length > 0) return suiting;
  const there = [...new Set(images.map((image) => formatPlatform(image.platform)))].join(', ');
  throw new LayerpullError('platform_not_found', `${query.text} is not in the store for ${wanted}`, {
    origin: 'store',
    hint: `it is there for ${there}`,
  });
}

function isNamed(image: ImageRecord, { name, reference }: ImageQuery): boolean {
  if (name === undefined || reference === undefined) return false;
  if (image.name === name) return true;
  const { digest } = reference;
  if (digest === undefined || ![image.manifest.digest, image.index?.digest].includes(digest)) return false;
  const [recorded = ''] = image.name.split('@');
  const wanted = `${reference.registry}/${reference.repository}`;
  if (reference.tag !== undefined) return recorded === `${wanted}:${reference.tag}`;
  return recorded === wanted || recorded.startsWith(`${wanted}:`);
}

async function findByDigest(
  text: string,
  images: readonly ImageRecord[],
  blobsOf: (image: ImageRecord) => Promise<ImageBlobs>,
): Promise<ImageRecord[]> {
  const hits: ImageRecord[] = [];
  const digests = new Set<Digest>();
  for (const image of images) {
    const { config } = await blobsOf(image);
    const known = [image.manifest.digest, image.index?.digest, config].filter((one) => one !== undefined);
    const matching = known.filter((digest) => beginsWith(digest, text));
    for (const digest of matching) digests.add(digest);
    if (matching.length > 0) hits.push(image);
  }
  if (digests.size > 1) throw ambiguous(text, [...digests]);
  return hits;
}

function beginsWith(digest: Digest, text: string): boolean {
  return (
    digest.startsWith(text) || (!text.includes(':') && digest.slice(digest.indexOf(':') + 1).startsWith(text))
  );
}

function ambiguous(text: string, digests: readonly Digest[]): LayerpullError {
  const shown = digests.slice(0, 3).map((digest) => digest.slice(0, text.length + 15));
  return new LayerpullError(
    'ambiguous_digest',
    `${text} is the beginning of several digests: ${shown.join(', ')}`,
    {
      hint: 'give more of it',
    },
  );
}
