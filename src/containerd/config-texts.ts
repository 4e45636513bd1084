import { constants } from 'node:fs';
import { type FileHandle, open, readdir } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, systemCodeOf } from '../core/errors.ts';

/** Why a configuration of containerd cannot be read, in a few words. */
export class UnreadableConfig extends Error {
  override readonly name = 'UnreadableConfig';
  readonly file: string;
  /** Nothing is there. */
  readonly isAbsent: boolean;

  constructor(file: string, reason: string, cause?: unknown) {
    super(reason, { cause });
    this.file = file;
    this.isAbsent = systemCodeOf(cause) === 'ENOENT' || systemCodeOf(cause) === 'ENOTDIR';
  }
}

/** Bytes of the longest file. A real one has a few thousand. */
const maxFileBytes = 1_048_576;

/** Whatever lies there: a pipe is not waited for, and an endless file not read to its end. @throws UnreadableConfig */
export async function readConfigText(file: string): Promise<string> {
  try {
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    return await readSmall(handle, file).finally(() => handle.close());
  } catch (error) {
    if (error instanceof UnreadableConfig) throw error;
    throw new UnreadableConfig(file, reasons[systemCodeOf(error) ?? ''] ?? messageOf(error), error);
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'it is not there',
  ENOTDIR: 'it is not there',
  EACCES: 'permission denied',
  ENXIO: 'it is no file',
};

async function readSmall(handle: FileHandle, file: string): Promise<string> {
  const stats = await handle.stat();
  if (!stats.isFile()) throw new UnreadableConfig(file, 'it is no file');
  // Files of /proc and the like say that they have no bytes.
  const buffer = Buffer.allocUnsafe(maxFileBytes + 1);
  let filled = 0;
  for (;;) {
    const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled, filled);
    if (bytesRead === 0) return buffer.toString('utf8', 0, filled);
    filled += bytesRead;
    if (filled > maxFileBytes) throw new UnreadableConfig(file, `it is longer than ${maxFileBytes} bytes`);
  }
}

/** The files that `imports` of a file mean: with `*` and `?` those that are there, else the one that is named. */
export async function importedFiles(parent: string, imports: readonly string[]): Promise<string[]> {
  const found = await Promise.all(
    imports.map((text) => {
      const file = path.resolve(path.dirname(parent), text);
      return /[*?]/.test(file) ? matching(file) : [file];
    }),
  );
  return found.flat();
}

/** Sorted, as Go's `filepath.Glob` has it. */
async function matching(pattern: string): Promise<string[]> {
  let folders = [path.parse(pattern).root];
  for (const part of pattern.split(path.sep).filter((text) => text !== '')) {
    const next = await Promise.all(folders.map((folder) => step(folder, part)));
    folders = next.flat();
  }
  return folders;
}

async function step(folder: string, part: string): Promise<string[]> {
  if (!/[*?]/.test(part)) return [path.join(folder, part)];
  const names = await readdir(folder).catch(() => []);
  return names
    .filter((name) => fits(name, part))
    .toSorted()
    .map((name) => path.join(folder, name));
}

/** Without a regular expression, which a hostile pattern could make slow. */
function fits(name: string, pattern: string): boolean {
  let reachable = new Set([0]);
  for (const sign of pattern) {
    const next = new Set<number>();
    for (const at of reachable) {
      if (sign === '*') for (let end = at; end <= name.length; end += 1) next.add(end);
      else if (at < name.length && (sign === '?' || sign === name[at])) next.add(at + 1);
    }
    reachable = next;
  }
  return reachable.has(name.length);
}
