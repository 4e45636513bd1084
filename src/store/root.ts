import { lstat, mkdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { LayerpullError, systemCodeOf } from '../core/errors.ts';
import { folderMode, requireWritable } from './files.ts';

/** Makes the folder of a store where there is none. Answers with its path, links resolved. */
export async function makeRoot(wanted: string): Promise<string> {
  try {
    await mkdir(wanted, { recursive: true, mode: folderMode });
    return await realpath(wanted);
  } catch (error) {
    await explain(wanted, error);
    throw error;
  }
}

/** Making several folders at once fails in odd ways for want of the upper ones, whatever is wrong with those. */
async function explain(wanted: string, cause: unknown): Promise<void> {
  const place = await lowestThere(path.resolve(wanted));
  if (await leadsNowhere(place)) {
    // Nothing is made where a link leads: that may be a folder that is not mounted now.
    throw new LayerpullError(
      'store_unusable',
      `cannot use the store ${wanted}: ${place} is a link that leads to nothing`,
      {
        hint: 'make the folder that it leads to, or choose another with --store',
        cause,
      },
    );
  }
  if (systemCodeOf(cause) === 'ENOENT') await requireWritable(place);
}

/** Itself, or the folder above it that is there. Links count as there. */
async function lowestThere(place: string): Promise<string> {
  const stats = await lstat(place).catch(() => undefined);
  return stats ? place : await lowestThere(path.dirname(place));
}

async function leadsNowhere(link: string): Promise<boolean> {
  return await stat(link).then(
    () => false,
    (error: unknown) => systemCodeOf(error) === 'ENOENT',
  );
}
