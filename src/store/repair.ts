import { link, lstat, mkdir, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Digest } from '../core/digest.ts';
import { systemCodeOf } from '../core/errors.ts';
import type { Token } from '../core/ids.ts';
import { type Log, silentLog } from '../core/log.ts';
import type { StoreRepair } from './check.ts';
import { createChecker } from './checker.ts';
import { folderMode, storing } from './files.ts';
import { readImages, readRecord } from './image-records.ts';
import { rewriteIndex } from './index-json.ts';
import { blobPath, type Layout, trashPath } from './layout.ts';
import { moveAside, rewriteLayoutFile } from './layout-check.ts';

/** `settle`: how deletions that were broken off are ended. Default: they are left. */
export function createRepair(
  layout: Pick<Layout, 'root'>,
  log: Log = silentLog,
  settle: StoreRepair['settle'] = async () => {},
): StoreRepair {
  return {
    discardWrong: (digest, token, signal) =>
      storing(`remove ${digest}`, () => discardWrong(layout, digest, token, signal)),
    rewriteLayout: (file) => storing(`write ${file} anew`, () => rewriteLayoutFile(layout, file)),
    setAside: (file) => storing(`move ${file} aside`, () => setAside(layout, file)),
    settle,
    deriveIndex: () =>
      storing('derive index.json', () => rewriteIndex(layout, () => readImages(layout, log))),
  };
}

/**
 * The name begins with a word, unlike those of blobs that are being deleted: whoever ends a broken-off deletion puts
 * back what is needed, and this must not come back.
 */
async function discardWrong(
  layout: Pick<Layout, 'root'>,
  digest: Digest,
  token: Token,
  signal: AbortSignal,
): Promise<boolean> {
  const aside = path.join(trashPath(layout), `wrong-${token}`);
  const file = path.join(aside, 'blobs', ...blobPath({ root: '' }, digest).split(path.sep).slice(-2));
  await mkdir(path.dirname(file), { recursive: true, mode: folderMode });
  try {
    await rename(blobPath(layout, digest), file);
    const isWrong = await isWrongBlob(aside, digest, signal);
    if (!isWrong) await rename(file, blobPath(layout, digest));
    return isWrong;
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return false;
    // Nobody knows what it is: it may be one that was published in the last moment.
    await rename(file, blobPath(layout, digest)).catch(() => {});
    throw error;
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

/** So long ago that nobody is at it any more. */
const leftAfterMs = 3_600_000;

/** Removes the wrong blobs of repairs that were killed before they did. */
export async function collectWrong(layout: Pick<Layout, 'root'>, wallNowMs: number): Promise<void> {
  const names = await readdir(trashPath(layout)).catch(() => []);
  for (const name of names.filter((one) => /^wrong-\d+$/.test(one))) {
    const folder = path.join(trashPath(layout), name);
    const { mtimeMs } = await lstat(folder);
    if (wallNowMs - mtimeMs >= leftAfterMs) await rm(folder, { recursive: true, force: true });
  }
}

async function isWrongBlob(root: string, digest: Digest, signal: AbortSignal): Promise<boolean> {
  const found = await createChecker({ root }).read(digest, signal);
  return found.kind === 'no-file' || (found.kind === 'read' && found.digest !== digest);
}

async function setAside(layout: Pick<Layout, 'root'>, file: string): Promise<boolean> {
  if (!(await isNoRecord(file))) return false;
  const aside = await moveAside(layout, file, 'record').catch((error: unknown) => {
    if (systemCodeOf(error) !== 'ENOENT') throw error;
    return undefined;
  });
  if (aside === undefined || (await isNoRecord(aside))) return aside !== undefined;
  // Somebody recorded an image there in the last moment. What was recorded since is newer still.
  await link(aside, file).catch((error: unknown) => {
    if (systemCodeOf(error) !== 'EEXIST') throw error;
  });
  await rm(aside, { force: true });
  return false;
}

/** For what the system says of these nobody could read them as records. */
const noRecordCodes: ReadonlySet<string> = new Set(['EISDIR', 'ELOOP']);

async function isNoRecord(file: string): Promise<boolean> {
  const read = await readRecord(file);
  if (!read || !('reason' in read)) return false;
  return read.code === undefined || noRecordCodes.has(read.code);
}
