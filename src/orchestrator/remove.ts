import { formatPlatform, type Platform } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import { isLayerpullError, LayerpullError } from '../core/errors.ts';
import { deleteLayer } from '../hooks/layer-delete.ts';
import type { SessionLocks } from '../lock/locks.ts';
import type { ImageRecord, ImageStore } from '../store/image-store.ts';
import type { Unreadable } from '../store/references.ts';
import { findImages, type ImageQuery, ofPlatform } from './image-query.ts';
import type { SharedStore } from './keep.ts';

export interface RemovalParts {
  readonly store: SharedStore & { readonly images: ImageStore };
  /** Must not go on without a lock service. */
  readonly locks: SessionLocks & { connect(signal: AbortSignal): Promise<void> };
}

export interface RemoveRequest {
  readonly queries: readonly ImageQuery[];
  /** Only this platform. Default: all of a name. */
  readonly platform?: Platform;
  /** Also by a digest that has several names. */
  readonly force: boolean;
}

export interface UntaggedImage {
  readonly name: string;
  /** `os/arch[/variant]` */
  readonly platform: string;
  /** What the name stood for: the index's digest where there is one. */
  readonly digest: Digest;
  readonly manifestDigest: Digest;
}

export interface DeletedBlob {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/** The document of `rm --json`. */
export interface RemoveResult {
  /** Absolute path of the store. */
  readonly store: string;
  readonly untagged: readonly UntaggedImage[];
  readonly deleted: readonly DeletedBlob[];
  /** Bytes that were freed. */
  readonly bytesFreed: number;
}

/**
 * Removes images, then the blobs that nobody references any more. All are found before anything changes, and nothing
 * changes without a lock service.
 *
 * @throws LayerpullError `image_not_found`, `platform_not_found`, `ambiguous_digest`, `usage`, `lock_*`, `store_*`
 */
export async function removeImages(
  request: RemoveRequest,
  parts: RemovalParts,
  signal: AbortSignal,
): Promise<RemoveResult> {
  const { store, locks } = parts;
  const images = await chooseImages(request, parts);
  await refuseUnreadable(parts, images);
  const blobs = await Promise.all(images.map(async (image) => (await store.references.blobsOf(image)).all));
  await locks.connect(signal);
  await store.garbage.settle();
  const removed = await store.images.remove(images);
  const candidates = await sizesOf(new Set(blobs.flat()), parts);
  const deleted = await deleteUnreferenced(candidates, parts, signal).catch((error: unknown) => {
    throw explained(error, removed);
  });
  return { ...summed(deleted), store: store.blobs.path, untagged: removed.map(untagged) };
}

/** The images are gone by then, their blobs are not: whoever removes them now must know how. */
function explained(error: unknown, images: readonly ImageRecord[]): unknown {
  if (!isLayerpullError(error) || error.origin === 'user') return error;
  const names = [...new Set(images.map(({ name }) => name))].join(', ');
  return new LayerpullError(error.code, `${names}: removed, but not all blobs: ${error.message}`, {
    hint: 'run layerpull prune to remove the others',
    retryable: error.retryable,
    cause: error,
  });
}

async function chooseImages(
  { queries, platform, force }: RemoveRequest,
  { store }: RemovalParts,
): Promise<readonly ImageRecord[]> {
  const recorded = await store.images.list();
  const chosen = new Set<ImageRecord>();
  for (const query of queries) {
    const { images, by } = await findImages(query, recorded, store.references.blobsOf);
    const names = new Set(images.map(({ name }) => name));
    if (by === 'digest' && names.size > 1 && !force) throw severalNames(query, [...names]);
    for (const image of ofPlatform(query, images, platform)) chosen.add(image);
  }
  return [...chosen];
}

function severalNames({ text }: ImageQuery, names: readonly string[]): LayerpullError {
  return new LayerpullError('usage', `${text} has several names: ${names.join(', ')}`, {
    hint: 'give the names to remove, or --force to remove them all',
  });
}

/** Which blobs an unreadable image needs nobody knows; one that is removed anyway needs none. */
export async function refuseUnreadable(
  { store }: Pick<RemovalParts, 'store'>,
  removed: readonly ImageRecord[] = [],
): Promise<void> {
  const { unreadable } = await store.references.read();
  const isRemoved = ({ image }: Unreadable) =>
    image !== undefined &&
    removed.some(
      (one) => one.name === image.name && formatPlatform(one.platform) === formatPlatform(image.platform),
    );
  const [first] = unreadable.filter((one) => !isRemoved(one));
  if (!first) return;
  throw new LayerpullError('store_failed', `cannot tell which blobs are needed: ${first.message}`, {
    hint: first.hint,
    retryable: false,
  });
}

async function sizesOf(digests: ReadonlySet<Digest>, { store }: RemovalParts): Promise<DeletedBlob[]> {
  const found: DeletedBlob[] = [];
  for await (const blob of store.blobs.list()) if (digests.has(blob.digest)) found.push(blob);
  return found;
}

/** One after the other: a deletion takes no time but that of its lock. */
export async function deleteUnreferenced(
  candidates: readonly DeletedBlob[],
  { store, locks }: RemovalParts,
  signal: AbortSignal,
): Promise<DeletedBlob[]> {
  const { references, blobs } = store;
  const book = await references.read();
  const deleted: DeletedBlob[] = [];
  for (const blob of candidates.filter(({ digest }) => book.of(digest).length === 0)) {
    signal.throwIfAborted();
    const { kind } = await deleteLayer(blob, { locks, store: blobs, references, signal });
    if (kind === 'deleted') deleted.push({ digest: blob.digest, size: blob.size });
  }
  return deleted;
}

function untagged({ name, platform, manifest, index }: ImageRecord): UntaggedImage {
  return {
    name,
    platform: formatPlatform(platform),
    digest: (index ?? manifest).digest,
    manifestDigest: manifest.digest,
  };
}

function summed(deleted: readonly DeletedBlob[]): Pick<RemoveResult, 'deleted' | 'bytesFreed'> {
  return { deleted, bytesFreed: deleted.reduce((sum, { size }) => sum + size, 0) };
}
