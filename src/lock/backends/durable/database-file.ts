import { open } from 'node:fs/promises';
import path from 'node:path';
import { unusable } from './directory.ts';

/** LMDB's file begins with two copies of this: a page header, the magic number, sizes, the number of the last page. */
const headBytes = 256;
const magic = 0xbeefc0de;
const at = { magic: 24, pageBytes: 48, lastPage: 144 } as const;

/**
 * LMDB maps its file into memory and trusts it: what is no database, or is cut short, ends the whole process with a
 * signal. So this looks first. Pages at the end that LMDB never wrote are no damage, so a short file gets its length
 * back; where they should hold data, LMDB mostly finds that out.
 *
 * @throws LayerpullError `data_unusable`
 */
export async function checkDatabaseFile(directory: string): Promise<void> {
  const file = await open(path.join(directory, 'data.mdb'), 'r+').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw unusable(directory, error);
  });
  try {
    const size = (await file?.stat())?.size ?? 0;
    if (!file || size === 0) return;
    const head = Buffer.alloc(headBytes);
    await file.read(head, 0, headBytes, 0);
    const expected = expectedBytes(head);
    if (expected === undefined) throw unusable(directory, new Error('data.mdb is not a database'));
    if (size < expected) await file.truncate(expected);
  } finally {
    await file?.close();
  }
}

function expectedBytes(head: Buffer): number | undefined {
  if (head.readUInt32LE(at.magic) !== magic) return undefined;
  const pageBytes = head.readUInt32LE(at.pageBytes);
  const pages = Number(head.readBigUInt64LE(at.lastPage)) + 1;
  const isPlausible = pageBytes >= 512 && pageBytes <= 65_536 && Number.isSafeInteger(pages * pageBytes);
  return isPlausible ? Math.max(pages, 2) * pageBytes : undefined;
}
