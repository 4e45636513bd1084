import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Digest } from '../core/digest.ts';
import { digestAlgorithm, finishDigest, isDigest, startDigest } from '../core/digest.ts';
import { systemCodeOf } from '../core/errors.ts';
import type { BlobFile, CheckedImage, StoreChecker } from './check.ts';
import { Documents } from './documents.ts';
import { storageError, storing } from './files.ts';
import { readRecords } from './image-records.ts';
import { isIndexDerived } from './index-json.ts';
import { blobPath, type Layout } from './layout.ts';
import { blobsOf } from './reference-book.ts';

type Root = Pick<Layout, 'root'>;

export function createChecker(layout: Root): StoreChecker {
  return {
    path: layout.root,
    blobs: () => storing('list the blobs', () => listBlobFiles(layout)),
    hash: (digest, signal, onBytes = () => {}) => hashBlob(layout, digest, signal, onBytes),
    has: async (digest) => (await stat(blobPath(layout, digest)).catch(() => undefined))?.isFile() === true,
    images: () => storing('read the images', () => checkImages(layout)),
    isIndexRight: () =>
      storing(
        'read index.json',
        async () => await isIndexDerived(layout, (await readRecords(layout)).images),
      ),
  };
}

async function listBlobFiles({ root }: Root): Promise<BlobFile[]> {
  const found: BlobFile[] = [];
  for (const algorithm of ['sha256', 'sha512']) {
    const folder = path.join(root, 'blobs', algorithm);
    for (const name of await namesOf(folder)) {
      const digest = `${algorithm}:${name}`;
      const stats = await stat(path.join(folder, name)).catch(() => undefined);
      if (stats && isDigest(digest)) found.push({ digest, size: stats.size });
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

async function hashBlob(
  layout: Root,
  digest: Digest,
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<Digest | undefined> {
  const algorithm = digestAlgorithm(digest);
  const hash = startDigest(algorithm);
  try {
    const bytes: AsyncIterable<Buffer> = createReadStream(blobPath(layout, digest), {
      highWaterMark: pieceBytes,
      signal,
    });
    for await (const piece of bytes) {
      hash.update(piece);
      onBytes(piece.length);
    }
  } catch (error) {
    signal.throwIfAborted();
    if (systemCodeOf(error) === 'ENOENT') return undefined;
    throw storageError(error, `read ${digest}`);
  }
  return finishDigest(hash, algorithm);
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
