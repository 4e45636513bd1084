import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Clock } from '../core/clock.ts';
import type { Digest } from '../core/digest.ts';
import { systemCodeOf } from '../core/errors.ts';
import { lockStateOf } from './file-lock.ts';
import { blobPath, type Layout, partialsPath } from './layout.ts';
import { listOthers } from './partials.ts';

/** A file that a blob is read from; its descriptor stays good when the file is renamed or removed. */
export interface GrowingFile {
  readonly handle: FileHandle;
  /** Bytes of the whole blob; absent for a partial. */
  readonly size?: number;
}

/** A writer whose file is not locked may be one that has just ended, and one whose place another is about to take. */
const freshMs = 1_000;
/** Where locks say nothing, a file that stood still for as long is nobody's. */
const freshWithoutLocksMs = 20_000;
const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;

/**
 * The blob, or the longest partial that somebody writes, if it has more than `bytes` bytes. The blob is looked for once
 * more in the end, as a partial may have become it meanwhile.
 */
export async function openGrowing(
  layout: Layout,
  digest: Digest,
  clock: Clock,
  bytes = -1,
): Promise<GrowingFile | undefined> {
  const whole = () => openWhole(layout, digest);
  return (await whole()) ?? (await openLive(partialsPath(layout, digest), clock, bytes)) ?? (await whole());
}

async function openWhole(layout: Layout, digest: Digest): Promise<GrowingFile | undefined> {
  const handle = await openIfThere(blobPath(layout, digest), O_RDONLY | O_NONBLOCK);
  if (!handle) return undefined;
  const stats = await closingOnError(handle, () => handle.stat());
  if (stats.isFile()) return { handle, size: stats.size };
  await handle.close();
  return undefined;
}

async function openLive(folder: string, clock: Clock, bytes: number): Promise<GrowingFile | undefined> {
  for (const { file, size } of await listOthers(folder, '')) {
    if (size <= bytes) return undefined;
    const handle = await openIfThere(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!handle) continue;
    if (await closingOnError(handle, () => isWritten(handle, clock))) return { handle };
    await handle.close();
  }
  return undefined;
}

/** A writer has its file locked until it closes it or its process ends. Where locks say nothing, its age does. */
export async function isWritten(handle: FileHandle, clock: Clock): Promise<boolean> {
  const { nlink, mtimeMs } = await handle.stat();
  if (nlink === 0) return false;
  const lock = await lockStateOf(handle);
  if (lock === 'held') return true;
  return clock.wallNow() - mtimeMs < (lock === 'unknown' ? freshWithoutLocksMs : freshMs);
}

async function openIfThere(file: string, flags: number): Promise<FileHandle | undefined> {
  try {
    return await open(file, flags);
  } catch (error) {
    const code = systemCodeOf(error);
    if (code === 'ENOENT' || code === 'ELOOP') return undefined;
    throw error;
  }
}

async function closingOnError<T>(handle: FileHandle, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await handle.close();
    throw error;
  }
}
