import { lstat, mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { type Digest, digestHex, isDigest } from '../core/digest.ts';
import { systemCodeOf } from '../core/errors.ts';
import type { Token } from '../core/ids.ts';
import { namesIn } from './claims.ts';
import { folderMode } from './files.ts';
import { blobPath, type Layout, trashPath } from './layout.ts';
import type { ReferenceBook } from './references.ts';

/**
 * Blobs on their way out lie in `trash/<token>-<hex>`, by the token of the lock under which they were moved there. The
 * name is nobody else's, so whoever removes it removes no blob that was published since.
 */
export interface TrashedBlob {
  readonly file: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/** Moves a blob out of the way. Undefined when it was not there. */
export async function moveToTrash(
  layout: Layout,
  digest: Digest,
  token: Token,
): Promise<TrashedBlob | undefined> {
  const file = path.join(trashPath(layout), `${token}-${digestHex(digest)}`);
  await mkdir(trashPath(layout), { recursive: true, mode: folderMode });
  try {
    const { size } = await lstat(blobPath(layout, digest));
    await rename(blobPath(layout, digest), file);
    return { file, digest, size };
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Whatever stands there meanwhile has the same bytes. */
export async function putBack(layout: Layout, { file, digest }: TrashedBlob): Promise<void> {
  await rename(file, blobPath(layout, digest)).catch(ignoreMissing);
}

export async function removeTrashed({ file }: TrashedBlob): Promise<void> {
  await rm(file, { force: true });
}

/** What lies in the trash: of deleters that run now, and of dead ones. */
export async function listTrash(layout: Pick<Layout, 'root'>): Promise<TrashedBlob[]> {
  const blobs: TrashedBlob[] = [];
  for (const name of await namesIn(trashPath(layout))) {
    const file = path.join(trashPath(layout), name);
    const digest = digestIn(name);
    const stats = await lstat(file).catch(() => undefined);
    if (digest && stats?.isFile()) blobs.push({ file, digest, size: stats.size });
  }
  return blobs;
}

/**
 * Ends what a killed deleter began: what is referenced goes back, the rest is removed. Anybody may do that at any time,
 * also while the deleter lives. It was listed in the trash before the references were read, as its deleter did it: a
 * puller that found the blob in its place had written its reference by then, and one that comes later finds none.
 */
export async function settleTrash(
  layout: Layout,
  readReferences: () => Promise<ReferenceBook>,
): Promise<{ readonly removed: readonly TrashedBlob[] }> {
  const trashed = await listTrash(layout);
  if (trashed.length === 0) return { removed: [] };
  const book = await readReferences();
  const removed: TrashedBlob[] = [];
  for (const blob of trashed) {
    if (isNeeded(book, blob.digest)) {
      await putBack(layout, blob);
    } else {
      await removeTrashed(blob);
      removed.push(blob);
    }
  }
  return { removed };
}

/** While something cannot be read, everything may be needed. */
export function isNeeded(book: ReferenceBook, digest: Digest): boolean {
  return book.unreadable.length > 0 || book.of(digest).length > 0;
}

function digestIn(name: string): Digest | undefined {
  const [, hex = ''] = /^\d+-([0-9a-f]+)$/.exec(name) ?? [];
  const digest = `${hex.length === 128 ? 'sha512' : 'sha256'}:${hex}`;
  return isDigest(digest) ? digest : undefined;
}

function ignoreMissing(error: unknown): void {
  if (systemCodeOf(error) !== 'ENOENT') throw error;
}
