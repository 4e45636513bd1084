import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Digest } from '../core/digest.ts';
import { systemCodeOf } from '../core/errors.ts';
import type { Token } from '../core/ids.ts';
import { type Log, silentLog } from '../core/log.ts';
import type { StoreRepair } from './check.ts';
import { createChecker } from './checker.ts';
import { folderMode, storing } from './files.ts';
import { readImages } from './image-records.ts';
import { rewriteIndex } from './index-json.ts';
import { blobPath, type Layout, trashPath } from './layout.ts';

export function createRepair(layout: Layout, log: Log = silentLog): StoreRepair {
  return {
    discardWrong: (digest, token, signal) =>
      storing(`remove ${digest}`, () => discardWrong(layout, digest, token, signal)),
    setAside: (file) => storing(`move ${file} aside`, () => setAside(layout, file)),
    deriveIndex: () =>
      storing('derive index.json', () => rewriteIndex(layout, () => readImages(layout, log))),
  };
}

/**
 * The name begins with a word, unlike those of blobs that are being deleted: whoever ends a broken-off deletion puts
 * back what is needed, and this must not come back.
 */
async function discardWrong(
  layout: Layout,
  digest: Digest,
  token: Token,
  signal: AbortSignal,
): Promise<boolean> {
  const aside = path.join(trashPath(layout), `wrong-${token}`);
  const file = path.join(aside, 'blobs', ...blobPath({ root: '' }, digest).split(path.sep).slice(-2));
  await mkdir(path.dirname(file), { recursive: true, mode: folderMode });
  try {
    await rename(blobPath(layout, digest), file);
    const found = await createChecker({ root: aside }).hash(digest, signal);
    if (found === digest) await rename(file, blobPath(layout, digest));
    return found !== digest;
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') throw error;
    return false;
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

async function setAside(layout: Layout, file: string): Promise<void> {
  await mkdir(trashPath(layout), { recursive: true, mode: folderMode });
  const target = path.join(trashPath(layout), `record-${path.basename(file)}`);
  await rename(file, target).catch((error: unknown) => {
    if (systemCodeOf(error) !== 'ENOENT') throw error;
  });
}
