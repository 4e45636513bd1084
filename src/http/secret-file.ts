import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { bad, unreadable } from './certificates.ts';
import { type ModeNotice, modeNotice } from './secret-mode.ts';

export interface SecretFile {
  readonly text: string;
  readonly notice: ModeNotice;
}

export interface SecretFileOptions {
  /** Who named it, such as `--token-file`. */
  readonly from: string;
  readonly maxBytes: number;
  /** What to do where it is no regular file, and where it is too long. */
  readonly hints: { readonly irregular: string; readonly tooLong: string };
}

/** Reads a small file, and looks at who else may. @throws LayerpullError `usage`, never with what the file holds */
export function readSecretFile(file: string, { from, maxBytes, hints }: SecretFileOptions): SecretFile {
  const { bytes, stats } = readBytes(file, from, maxBytes);
  if (!stats.isFile()) throw bad(file, 'is no regular file', hints.irregular, from);
  if (bytes.length > maxBytes) throw bad(file, `is longer than ${maxBytes / 1_024} KiB`, hints.tooLong, from);
  return { text: bytes.toString('utf8'), notice: modeNotice(file, stats, from) };
}

function readBytes(file: string, from: string, maxBytes: number): { bytes: Buffer; stats: Stats } {
  let handle: number | undefined;
  try {
    // A pipe that nobody writes to would stop everything.
    handle = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = fstatSync(handle);
    return { bytes: stats.isFile() ? readSome(handle, maxBytes) : Buffer.alloc(0), stats };
  } catch (error) {
    throw unreadable(file, error, from);
  } finally {
    if (handle !== undefined) closeSync(handle);
  }
}

/** As much as it may have and a byte more. */
function readSome(handle: number, maxBytes: number): Buffer {
  const bytes = Buffer.alloc(maxBytes + 1);
  let length = 0;
  for (let read = 1; read > 0; length += read)
    read = readSync(handle, bytes, length, bytes.length - length, null);
  return bytes.subarray(0, length);
}
