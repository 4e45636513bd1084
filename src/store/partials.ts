import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, readdir, rm, statfs } from 'node:fs/promises';
import path from 'node:path';
import { digestHex, digestOf } from '../core/digest.ts';
import { systemCodeOf } from '../core/errors.ts';
import type { SessionId } from '../core/ids.ts';
import type { Writer } from './blob-store.ts';
import { tryLock } from './file-lock.ts';
import { fileMode, folderMode } from './files.ts';

/**
 * Partial blobs: `ingest/<alg>-<hex>/<session>-<token>`. Each has one writer for ever. Who takes over copies. Its writer
 * keeps an advisory lock on it while it has it open, by which those who read along tell that it is still there.
 * Names are opened exclusively and links are never followed, so nobody can be made to write elsewhere.
 */
export interface Partial {
  readonly file: string;
  readonly handle: FileHandle;
}

/** A partial of this process, open for writing. */
export interface OwnPartial extends Partial {
  /** Whether its folder was there before: only then others may have left something in it. */
  readonly hasOthers: boolean;
}

/** Tries against a folder that another writer's publishing keeps removing. */
const maxTries = 20;

export async function createPartial(folder: string, { session, token }: Writer): Promise<OwnPartial> {
  const name = `${plainFileName(session)}-${token ?? 'alone'}`;
  for (let round = 1; ; round += 1) {
    const file = path.join(folder, round === 1 ? name : `${name}.${randomUUID()}`);
    try {
      const made = await mkdir(folder, { recursive: true, mode: folderMode });
      if (made === undefined) await removeStranger(folder);
      const handle = await open(file, exclusively, fileMode);
      await tryLock(handle);
      return { file, handle, hasOthers: made === undefined };
    } catch (error) {
      const code = systemCodeOf(error);
      const isRace = code === 'ENOENT' || code === 'EEXIST';
      if (!isRace || round >= maxTries) throw error;
      await removeStranger(folder);
    }
  }
}

/** What stands in the place of the folder and is none, such as a link that would lead our bytes elsewhere. */
async function removeStranger(folder: string): Promise<void> {
  const stats = await lstat(folder).catch(() => undefined);
  if (stats && !stats.isDirectory()) await rm(folder, { force: true });
}

/** Session ids may hold any character, and come over the network: what is no plain file name is replaced by its digest. */
export function plainFileName(session: SessionId): string {
  if (/^[A-Za-z0-9_-]{1,128}$/.test(session)) return session;
  return digestHex(digestOf(Buffer.from(session)));
}

const { O_WRONLY, O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY } = constants;
/** Appending, so that one which somebody cut short stays short, instead of getting a hole. */
const exclusively = O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW;

/** A partial of another writer. */
export interface OtherPartial {
  readonly file: string;
  /** Bytes. */
  readonly size: number;
}

/** The partials of other writers, the longest first. */
export async function listOthers(folder: string, own: string): Promise<OtherPartial[]> {
  const all = await Promise.all((await namesIn(folder)).map((name) => measure(path.join(folder, name))));
  const files = all.filter((one) => one !== undefined);
  return files.filter(({ file }) => file !== own).sort((a, b) => b.size - a.size);
}

/** The longest that is no longer than the blob, opened for reading. */
export async function openLongest(
  others: readonly OtherPartial[],
  maxBytes: number,
): Promise<Partial | undefined> {
  for (const { file, size } of others) {
    if (size === 0 || size > maxBytes) continue;
    const handle = await open(file, O_RDONLY | O_NOFOLLOW).catch(() => undefined);
    if (handle) return { file, handle };
  }
  return undefined;
}

/**
 * Whether the longest can be copied and still be there meanwhile. Where it cannot, but the whole blob fits once they all
 * are gone, a beginning at zero is better than none.
 */
export async function hasRoomToCopy(
  folder: string,
  others: readonly OtherPartial[],
  blobBytes: number,
): Promise<boolean> {
  const longest = others.find(({ size }) => size <= blobBytes)?.size ?? 0;
  const freeBytes = await freeBytesOf(folder);
  if (freeBytes === undefined || freeBytes >= longest) return true;
  return freeBytes + others.reduce((sum, { size }) => sum + size, 0) < blobBytes;
}

/** Undefined where the file system does not say. */
async function freeBytesOf(folder: string): Promise<number | undefined> {
  const { blocks, bavail, bsize } = await statfs(folder).catch(() => ({ blocks: 0, bavail: 0, bsize: 0 }));
  return blocks > 0 ? bavail * bsize : undefined;
}

/** Those that another user does not let us remove stay. */
export async function removeFiles(files: readonly OtherPartial[]): Promise<void> {
  for (const { file } of files) await rm(file, { force: true }).catch(() => {});
}

async function measure(file: string): Promise<OtherPartial | undefined> {
  const stats = await lstat(file).catch(() => undefined);
  return stats?.isFile() ? { file, size: stats.size } : undefined;
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** Removes the drafts, and the partials of blobs, that nobody has written to for `olderThanMs`. */
export async function collectAbandoned(
  ingest: string,
  wallNowMs: number,
  olderThanMs: number,
): Promise<void> {
  for (const name of await namesIn(ingest)) {
    const folder = path.join(ingest, name);
    if (wallNowMs - (await lastTouched(folder)) < olderThanMs) continue;
    await rm(folder, { recursive: true, force: true });
  }
}

async function lastTouched(folder: string): Promise<number> {
  const files = [folder, ...(await namesIn(folder).catch(() => [])).map((name) => path.join(folder, name))];
  const times = await Promise.all(
    files.map(async (file) => (await lstat(file).catch(() => undefined))?.mtimeMs ?? 0),
  );
  return Math.max(...times);
}
