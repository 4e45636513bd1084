import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { type Clock, systemClock } from '../core/clock.ts';
import type { Digest } from '../core/digest.ts';
import { digestAlgorithm, finishDigest, isDigest, startDigest } from '../core/digest.ts';
import { systemCodeOf } from '../core/errors.ts';
import type { BlobFile, BlobReading, CheckedImage, StoreChecker } from './check.ts';
import { Documents } from './documents.ts';
import { reasonOf, storing, withFile } from './files.ts';
import { readRecords } from './image-records.ts';
import { isIndexDerived } from './index-json.ts';
import { blobPath, type Layout } from './layout.ts';
import { faultyLayoutFiles } from './layout-check.ts';
import { blobsOf } from './reference-book.ts';

type Root = Pick<Layout, 'root'>;

export function createChecker(layout: Root, clock: Clock = systemClock): StoreChecker {
  return {
    path: layout.root,
    blobs: () => storing('list the blobs', () => listBlobFiles(layout)),
    read: (digest, signal, onBytes = () => {}) => readBlob(layout, digest, signal, onBytes),
    layout: () => storing('read the layout', () => faultyLayoutFiles(layout)),
    has: async (digest) => (await stat(blobPath(layout, digest)).catch(() => undefined))?.isFile() === true,
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

/** A special file must not make us wait for somebody to write into it. */
const readFlags = constants.O_RDONLY | constants.O_NONBLOCK;

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
    return { kind: 'read', digest: await withFile(handle, () => hashOf(handle, digest, signal, onBytes)) };
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
): Promise<Digest> {
  const algorithm = digestAlgorithm(digest);
  const hash = startDigest(algorithm);
  const buffer = Buffer.allocUnsafe(pieceBytes);
  for (;;) {
    signal.throwIfAborted();
    const { bytesRead } = await handle.read(buffer, 0, buffer.length);
    if (bytesRead === 0) return finishDigest(hash, algorithm);
    hash.update(buffer.subarray(0, bytesRead));
    onBytes(bytesRead);
  }
}

/** Between two looks at an index that is not as it should be, in milliseconds. */
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
  const { images } = await readRecords(layout);
  return { images, isRight: await isIndexDerived(layout, images) };
}

async function checkImages(layout: Root) {
  const documents = new Documents(layout);
  const { images, damaged } = await readRecords(layout);
  const checked = images.map(async (image): Promise<CheckedImage> => {
    const { all, config } = await blobsOf(image, documents);
    const { name, platform, manifest } = image;
    return { name, platform, manifest: manifest.digest, needs: all, isReadable: config !== undefined };
  });
  return { images: await Promise.all(checked), damaged };
}
