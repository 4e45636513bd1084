import { type FileHandle, open, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Descriptor } from '../core/descriptor.ts';
import { type Digest, digestAlgorithm, digestOf } from '../core/digest.ts';
import { systemCodeOf } from '../core/errors.ts';
import { readFlags, storageError, withFile } from './files.ts';
import { blobPath, type Layout } from './layout.ts';

/** A store as it is: looking changes nothing in it. */
export interface StorePeek {
  /** Whether the blob is there with its declared size. */
  has(descriptor: Descriptor): Promise<boolean>;
  /** The bytes of a manifest or an index, verified; undefined where they are not there, not whole or too many. */
  read(digest: Digest): Promise<Uint8Array | undefined>;
}

const maxDocumentBytes = 4 * 1_048_576;

/**
 * Looks into the store in a folder. Undefined where there is none: none is made, and nothing is ever written.
 *
 * @throws LayerpullError `store_unusable` where this user may not look
 */
export async function peekStore(folder: string): Promise<StorePeek | undefined> {
  const marker = await stat(path.join(folder, 'oci-layout')).catch((error: unknown) => {
    if (systemCodeOf(error) === 'EACCES') throw storageError(error, `read the store ${folder}`);
  });
  if (!marker?.isFile()) return undefined;
  const layout = { root: folder };
  return {
    async has({ digest, size }) {
      const stats = await stat(blobPath(layout, digest)).catch(() => undefined);
      return stats?.isFile() === true && stats.size === size;
    },
    read: (digest) => readDocument(layout, digest),
  };
}

/** The bytes of a manifest or an index, as `StorePeek.read` gives them. */
export async function readDocument(
  layout: Pick<Layout, 'root'>,
  digest: Digest,
): Promise<Uint8Array | undefined> {
  try {
    return await withFile(await open(blobPath(layout, digest), readFlags), async (handle) => {
      if (!(await isSmallFile(handle))) return undefined;
      const bytes = await handle.readFile();
      return digestOf(bytes, digestAlgorithm(digest)) === digest ? bytes : undefined;
    });
  } catch {
    return undefined;
  }
}

async function isSmallFile(handle: FileHandle): Promise<boolean> {
  const stats = await handle.stat();
  return stats.isFile() && stats.size <= maxDocumentBytes;
}
