import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, link, lstat, open, rm, stat, statfs, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type Digest, digestAlgorithm, finishDigest, startDigest } from '../core/digest.ts';
import { isLayerpullError, LayerpullError, messageOf, systemCodeOf } from '../core/errors.ts';
import { importMarkerPath, importMarkerText } from './existing-root.ts';
import { type OwnBlob, ownBlobPath, ownBlobs, ownContentPath } from './own-content.ts';

/** Where blobs are imported to: one containerd's part of a store, as the content service has it. */
export interface ImportTarget {
  /** By which the store is known. */
  readonly storeId: string;
  /** Absolute path of a folder for our own files, on the file system of the store's blobs. */
  readonly folder: string;
  /** What containerd is known to need already. */
  entries(): Promise<readonly { readonly digest: Digest }[]>;
  /** Bytes of a blob of the store; undefined where there is none. */
  sizeOf(digest: Digest): Promise<number | undefined>;
  /** Notes that containerd needs a blob; from then on nobody removes it. */
  put(entry: ImportedEntry): Promise<void>;
  /** Takes that back. */
  remove(digest: Digest): Promise<void>;
  /** Publishes a synced file of `folder`, whose digest the caller has computed, by rename. */
  adopt(file: string, digest: Digest): Promise<void>;
}

export interface ImportedEntry {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since the Unix epoch, as the next. */
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly labels: Readonly<Record<string, string>>;
}

/** How far an import is. */
export interface ImportProgress {
  readonly blobs: number;
  /** Of these, how many were in the store already. */
  readonly present: number;
  /** Bytes of all of them. */
  readonly bytes: number;
}

export interface Imported extends ImportProgress {
  /** Left out: their bytes are not those of their digest. */
  readonly damaged: readonly Digest[];
}

/**
 * Brings the blobs of containerd's built-in content store into ours, so that the content plugin finds what containerd's
 * metadata names. containerd must not run with its built-in store meanwhile: what it commits then is not brought.
 *
 * Each blob is linked where both lie on one file system, else copied; it is hashed, and published only if its bytes are
 * right. The root stays as it is but for one small file, which says that it was imported. Doing it again costs little,
 * and goes on where it was broken off.
 *
 * @param onProgress called after each blob
 * @throws LayerpullError `store_full` before anything is done where copies would have no room; `store_*`; the signal's reason
 */
export async function importRoot(
  root: string,
  store: ImportTarget,
  signal: AbortSignal,
  onProgress: (progress: ImportProgress) => void = () => {},
): Promise<Imported> {
  const blobs: OwnBlob[] = [];
  for await (const blob of ownBlobs(root)) blobs.push(blob);
  await refuseWithoutRoom(root, blobs, store);
  const kept = new Set((await store.entries()).map(({ digest }) => digest));
  const damaged: Digest[] = [];
  const sum = { blobs: 0, present: 0, bytes: 0 };
  for (const blob of blobs) {
    signal.throwIfAborted();
    const outcome = await importBlob(root, blob, store, kept.has(blob.digest), signal);
    if (outcome === 'damaged') damaged.push(blob.digest);
    if (outcome === 'damaged' || outcome === 'gone') continue;
    sum.blobs += 1;
    sum.bytes += blob.size;
    if (outcome === 'present') sum.present += 1;
    onProgress({ ...sum });
  }
  await leaveMarker(root, blobs, store.storeId);
  return { ...sum, damaged };
}

/** Links take no room. */
async function refuseWithoutRoom(
  root: string,
  blobs: readonly OwnBlob[],
  store: ImportTarget,
): Promise<void> {
  if (blobs.length === 0) return;
  const [from, to] = await Promise.all([stat(ownContentPath(root)), stat(store.folder)]);
  if (from.dev === to.dev) return;
  let neededBytes = 0;
  for (const { digest, size } of blobs) if ((await store.sizeOf(digest)) !== size) neededBytes += size;
  const { bavail, bsize } = await statfs(store.folder);
  const freeBytes = bavail * bsize;
  if (neededBytes <= freeBytes) return;
  throw new LayerpullError(
    'store_full',
    `the content of ${root} needs ${neededBytes} bytes in the store, and ${freeBytes} are free`,
    { hint: 'free space, or put the store on the file system of that root, where nothing has to be copied' },
  );
}

type Outcome = 'imported' | 'present' | 'damaged' | 'gone';

async function importBlob(
  root: string,
  blob: OwnBlob,
  store: ImportTarget,
  isKept: boolean,
  signal: AbortSignal,
): Promise<Outcome> {
  const { digest, size, committedMs } = blob;
  // Whoever looks for a blob notes first that it is needed: nobody removes it in between.
  if (!isKept) {
    await store.put({ digest, size, createdAtMs: committedMs, updatedAtMs: committedMs, labels: {} });
  }
  let outcome: Outcome | undefined;
  try {
    const isThere = (await store.sizeOf(digest)) === size;
    outcome = isThere ? 'present' : await bring(root, blob, store, signal);
    return outcome;
  } finally {
    const isIn = outcome === 'present' || outcome === 'imported';
    if (!isIn && !isKept) await store.remove(digest);
  }
}

async function bring(
  root: string,
  { digest, size }: OwnBlob,
  store: ImportTarget,
  signal: AbortSignal,
): Promise<Outcome> {
  const from = ownBlobPath(root, digest);
  const draft = path.join(store.folder, `import-${randomUUID()}`);
  try {
    const source = await openOwn(from);
    if (!source) return 'gone';
    const found = await takeOver({ source, from, draft, digest, signal }).finally(() => source.close());
    if (found.digest !== digest || found.size !== size) return 'damaged';
    await store.adopt(draft, digest);
    return 'imported';
  } catch (error) {
    signal.throwIfAborted();
    throw importError(error, digest, from);
  } finally {
    await rm(draft, { force: true });
  }
}

/** Neither a link nor a pipe that somebody put in the place of a blob is followed or waited for. */
async function openOwn(file: string): Promise<FileHandle | undefined> {
  try {
    return await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

interface TakeOver {
  readonly source: FileHandle;
  readonly from: string;
  readonly draft: string;
  readonly digest: Digest;
  readonly signal: AbortSignal;
}

/** Hashes what is linked, or what is copied. */
async function takeOver({ source, from, draft, digest, signal }: TakeOver) {
  const target = (await linkTo(source, from, draft)) ? undefined : await open(draft, 'wx', 0o644);
  try {
    const algorithm = digestAlgorithm(digest);
    const hash = startDigest(algorithm);
    let size = 0;
    for await (const chunk of source.createReadStream({ autoClose: false, highWaterMark: 1_048_576 })) {
      signal.throwIfAborted();
      hash.update(chunk);
      size += chunk.length;
      await target?.writeFile(chunk);
    }
    await (target ?? source).sync();
    return { size, digest: finishDigest(hash, algorithm) };
  } finally {
    await target?.close();
  }
}

/** False where it has to be copied: another file system, or a system that lets nobody link the files of others. */
async function linkTo(source: FileHandle, from: string, draft: string): Promise<boolean> {
  try {
    await link(from, draft);
  } catch {
    return false;
  }
  const [opened, linked] = await Promise.all([source.stat(), lstat(draft)]);
  if (opened.ino === linked.ino && opened.dev === linked.dev) return true;
  await rm(draft, { force: true });
  return false;
}

/** Newer blobs than the newest of now are not imported. */
async function leaveMarker(root: string, blobs: readonly OwnBlob[], storeId: string): Promise<void> {
  if (blobs.length === 0) return;
  const newestMs = blobs.reduce((newest, { committedMs }) => Math.max(newest, committedMs), 0);
  const marker = importMarkerPath(root);
  const seconds = Math.ceil(newestMs + 1) / 1_000;
  try {
    await writeFile(marker, importMarkerText(storeId));
    await utimes(marker, seconds, seconds);
  } catch {
    // On a root that nobody may write nothing is committed or removed either: it is compared blob by blob each time.
  }
}

const fullCodes: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT']);

function importError(error: unknown, digest: Digest, from: string): LayerpullError {
  if (isLayerpullError(error)) return error;
  const isFull = fullCodes.has(systemCodeOf(error) ?? '');
  return new LayerpullError(
    isFull ? 'store_full' : 'store_failed',
    `cannot import ${digest} from ${from}: ${messageOf(error)}`,
    {
      hint: isFull ? 'free space, then import again: it goes on where it was' : 'import again',
      cause: error,
    },
  );
}
