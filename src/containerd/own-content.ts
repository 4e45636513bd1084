import { lstat, readdir } from 'node:fs/promises';
import path from 'node:path';
import { type Digest, digestAlgorithm, digestHex, isDigest } from '../core/digest.ts';
import { LayerpullError, messageOf, systemCodeOf } from '../core/errors.ts';

/** A blob that containerd's built-in content store has. */
export interface OwnBlob {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** When containerd committed it, in milliseconds since the Unix epoch. */
  readonly committedMs: number;
}

/**
 * Where the built-in content store of containerd lies in its root: `blobs/ALGORITHM/HEX`, each written once and never
 * changed, and `ingest/` for what is on its way.
 */
export function ownContentPath(root: string): string {
  return path.join(root, 'io.containerd.content.v1.content');
}

export function ownBlobPath(root: string, digest: Digest): string {
  return path.join(ownContentPath(root), 'blobs', digestAlgorithm(digest), digestHex(digest));
}

/**
 * What the built-in content store of a root has, in no order; nothing where there is none. Only regular files under the
 * name of a digest count.
 *
 * @throws LayerpullError `store_unusable` where this user may not look
 */
export async function* ownBlobs(root: string): AsyncIterable<OwnBlob> {
  for (const algorithm of ['sha256', 'sha512']) {
    const folder = path.join(ownContentPath(root), 'blobs', algorithm);
    for (const name of await namesIn(folder)) {
      const digest = `${algorithm}:${name}`;
      if (!isDigest(digest)) continue;
      // What the garbage collection of a containerd that runs takes away meanwhile needs no import.
      const stats = await lstat(path.join(folder, name)).catch(() => undefined);
      if (stats?.isFile()) yield { digest, size: stats.size, committedMs: stats.mtimeMs };
    }
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    const code = systemCodeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw new LayerpullError('store_unusable', `cannot look into ${folder}: ${messageOf(error)}`, {
      hint: 'run it as the user of containerd, which mostly is root',
      cause: error,
    });
  }
}
