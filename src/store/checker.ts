import { type FileHandle, lstat, open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { type Clock, systemClock } from '../core/clock.ts';
import type { Digest } from '../core/digest.ts';
import { digestAlgorithm, digestHex, finishDigest, isDigest, startDigest } from '../core/digest.ts';
import { systemCodeOf } from '../core/errors.ts';
import type { BlobFile, BlobReading, CheckedImage, StoreChecker } from './check.ts';
import { Documents } from './documents.ts';
import { readFlags, reasonOf, storing, withFile } from './files.ts';
import { type Records, readRecords } from './image-records.ts';
import { isIndexDerived } from './index-json.ts';
import { blobPath, type Layout, trashPath } from './layout.ts';
import { faultyLayoutFiles } from './layout-check.ts';
import { needsOf } from './needs.ts';

type Root = Pick<Layout, 'root'>;

export function createChecker(layout: Root, clock: Clock = systemClock): StoreChecker {
  return {
    path: layout.root,
    blobs: () => storing('list the blobs', () => listBlobFiles(layout)),
    read: (digest, signal, onBytes = () => {}) => readBlob(layout, digest, signal, onBytes),
    layout: () => storing('read the layout', () => faultyLayoutFiles(layout)),
    has: (digest, signal) => hasBlob(layout, digest, clock, signal),
    images: () => storing('read the images', () => checkImages(layout)),
    isIndexRight: (signal) => isIndexRight(layout, clock, signal),
  };
}

async function listBlobFiles({ root }: Root): Promise<BlobFile[]> {
  const found: BlobFile[] = [];
  for (const algorithm of ['sha256', 'sha512']) {
    const folder = path.join(root, 'blobs', algorithm);
    for (const name of await namesOf(folder)) {
      const digest = `${algorithm}:${name}`;
      if (!isDigest(digest)) continue;
      const stats = await stat(path.join(folder, name)).catch(() => undefined);
      found.push({ digest, size: stats?.isFile() ? stats.size : 0 });
    }
  }
  return found;
}

async function namesOf(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** Large pieces: reading is most of the work. */
const pieceBytes = 1_048_576;

async function readBlob(
  layout: Root,
  digest: Digest,
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<BlobReading> {
  const file = blobPath(layout, digest);
  try {
    if (!(await stat(file)).isFile()) return { kind: 'no-file' };
    const handle = await open(file, readFlags);
    return await withFile(handle, () => hashOf(handle, digest, signal, onBytes));
  } catch (error) {
    signal.throwIfAborted();
    const code = systemCodeOf(error);
    if (code === undefined) throw error;
    if (code !== 'ENOENT' && code !== 'ELOOP') return { kind: 'unreadable', reason: reasonOf(error) };
    const isLink = (await lstat(file).catch(() => undefined))?.isSymbolicLink() === true;
    return { kind: isLink ? 'no-file' : 'gone' };
  }
}

async function hashOf(
  handle: FileHandle,
  digest: Digest,
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<BlobReading> {
  const algorithm = digestAlgorithm(digest);
  const hash = startDigest(algorithm);
  const buffer = Buffer.allocUnsafe(pieceBytes);
  let size = 0;
  for (;;) {
    signal.throwIfAborted();
    const { bytesRead } = await handle.read(buffer, 0, buffer.length);
    if (bytesRead === 0) return { kind: 'read', digest: finishDigest(hash, algorithm), size };
    size += bytesRead;
    hash.update(buffer.subarray(0, bytesRead));
    onBytes(bytesRead);
  }
}

/** A deleter puts back what is needed a moment later; what stays in the trash is left of one that is dead. */
async function hasBlob(layout: Root, digest: Digest, clock: Clock, signal: AbortSignal): Promise<boolean> {
  const isInPlace = async () =>
    (await stat(blobPath(layout, digest)).catch(() => undefined))?.isFile() === true;
  for (let look = 1; look < looks; look += 1) {
    if (await isInPlace()) return true;
    if (!(await isInTrash(layout, digest))) break;
    await clock.sleep(lookAgainMs, signal);
  }
  return await isInPlace();
}

async function isInTrash(layout: Root, digest: Digest): Promise<boolean> {
  const names = await namesOf(trashPath(layout));
  return names.some((name) => /^\d+-/.test(name) && name.endsWith(`-${digestHex(digest)}`));
}

/** Between two looks at something that is not as it should be, in milliseconds. */
const lookAgainMs = 200;
/** How often in a row the same must be seen. */
const looks = 5;

/** Whoever records an image writes the index a moment later: only what stays as it is is wrong. */
async function isIndexRight(layout: Root, clock: Clock, signal: AbortSignal): Promise<boolean> {
  let seen = '';
  for (let same = 1; same < looks; ) {
    const { images, isRight } = await storing('read index.json', () => lookAtIndex(layout));
    if (isRight) return true;
    const now = JSON.stringify(images);
    same = now === seen ? same + 1 : 1;
    seen = now;
    await clock.sleep(lookAgainMs, signal);
  }
  return false;
}

async function lookAtIndex(layout: Root) {
  const { images } = await recordsOf(layout);
  const isRight = await isIndexDerived(layout, images).catch((error: unknown) => {
    // A folder stands in its place.
    if (systemCodeOf(error) !== 'EISDIR') throw error;
    return false;
  });
  return { images, isRight };
}

/** One after the other: of many, no more than one manifest is in memory. */
async function checkImages(layout: Root) {
  const documents = new Documents(layout);
  const { images, damaged } = await recordsOf(layout);
  const checked: CheckedImage[] = [];
  for (const image of images) {
    const { name, platform, manifest } = image;
    checked.push({ name, platform, manifest: manifest.digest, ...(await needsOf(layout, documents, image)) });
  }
  return { images: checked, damaged };
}

/** That their folder is missing is told as a fault of the layout. */
async function recordsOf(layout: Root): Promise<Records> {
  return await readRecords(layout).catch((error: unknown) => {
    if (systemCodeOf(error) !== 'ENOENT') throw error;
    return { images: [], damaged: [] };
  });
}
