import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, type FileHandle, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { isLayerpullError, LayerpullError, messageOf, systemCodeOf } from '../core/errors.ts';

/** Other users may read what is stored, as tools that run as somebody else do; only the owner writes. */
export const folderMode = 0o755;
export const fileMode = 0o644;

/** For files that anybody may have put there: opening a pipe must not wait for somebody to write into it. */
export const readFlags = constants.O_RDONLY | constants.O_NONBLOCK;

/** Makes a renamed or linked name durable. File systems that cannot sync a folder need no sync. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } catch (error) {
    if (systemCodeOf(error) !== 'EINVAL') throw error;
  } finally {
    await handle.close();
  }
}

/** Writes a small file whole or not at all: as a draft in a folder of the same file system, synced, renamed. */
export async function replaceFile(
  target: string,
  content: string | Uint8Array,
  drafts: string,
): Promise<void> {
  const draft = path.join(drafts, `draft-${randomUUID()}`);
  try {
    await writeNew(draft, content);
    await rename(draft, target);
  } catch (error) {
    await rm(draft, { force: true }).catch(() => {});
    throw error;
  }
  await syncFolder(path.dirname(target));
}

/** Writes a file that must not be there yet, and syncs it. */
export async function writeNew(file: string, content: string | Uint8Array): Promise<void> {
  await withFile(await open(file, 'wx', fileMode), async (handle) => {
    await handle.writeFile(content);
    await handle.sync();
  });
}

export async function withFile<T>(handle: FileHandle, work: (handle: FileHandle) => Promise<T>): Promise<T> {
  try {
    return await work(handle);
  } finally {
    await handle.close();
  }
}

const fullCodes: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT']);
const unusableCodes: ReadonlySet<string> = new Set([
  'EEXIST',
  'EACCES',
  'EPERM',
  'EROFS',
  'ENOTDIR',
  'ELOOP',
  'ENAMETOOLONG',
  'EISDIR',
  'EFBIG',
  'EXDEV',
]);

/** A system's error as one of ours: what was tried, on what, and what to do. */
export function storageError(error: unknown, action: string): LayerpullError {
  if (isLayerpullError(error)) return error;
  const code = systemCodeOf(error) ?? '';
  const message = `cannot ${action}: ${reasonWithFile(error, action)}`;
  if (fullCodes.has(code)) {
    return new LayerpullError('store_full', message, {
      hint: 'free space, then pull again: it goes on where it was',
      cause: error,
    });
  }
  if (unusableCodes.has(code)) {
    return new LayerpullError('store_unusable', message, {
      hint: 'choose another folder with --store',
      cause: error,
    });
  }
  return new LayerpullError('store_failed', message, { cause: error });
}

/** What the system says, in words. */
export function reasonOf(error: unknown): string {
  return reasons[systemCodeOf(error) ?? ''] ?? messageOf(error);
}

const reasons: Readonly<Record<string, string>> = {
  ENOSPC: 'no space left on the device',
  EDQUOT: 'the disk quota is used up',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'a part of the path is not a folder',
  EEXIST: 'a file stands in its place',
  EISDIR: 'a folder stands in its place',
  ELOOP: 'its links lead nowhere but to themselves',
  EFBIG: 'this is larger than files may be here',
  EXDEV: 'a part of the store lies on another file system',
};

/** Names the file where the action does not, and where the system's words do not. */
function reasonWithFile(error: unknown, action: string): string {
  const reason = reasonOf(error);
  const file = fileOf(error);
  return file === undefined || action.includes(file) || reason.includes(file) ? reason : `${file}: ${reason}`;
}

/** Of a rename the target: the draft has a name that says nothing. */
function fileOf(error: unknown): string | undefined {
  const { dest, path: file } = Object(error);
  return [dest, file].find((name): name is string => typeof name === 'string');
}

/** Asked before locks are, which lie in the store too. @throws LayerpullError `store_unusable`, `store_failed` */
export async function requireWritable(folder: string): Promise<void> {
  await storing(`change the store ${folder}`, () => access(folder, constants.W_OK));
}

/** Runs `work`; what the system throws in it becomes one of our errors. */
export async function storing<T>(action: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw storageError(error, action);
  }
}
