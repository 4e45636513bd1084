import { stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { LayerpullError, systemCodeOf } from '../core/errors.ts';
import { requireWritable, storing } from '../store/files.ts';
import { readIdentity, refuseForeignFolder } from '../store/layout.ts';
import { type Finding, fromError, ok, problem, warning } from './finding.ts';

/** Looks at a store and changes nothing: none is made. */
export async function checkStore(store: string): Promise<Finding> {
  try {
    const place = await lowestThere(store);
    await requireWritable(place);
    if (place !== store) return ok('store', `${store} is not there yet: the first pull makes it`);
    await storing(`use the store ${store}`, () => refuseForeignFolder(store));
    return ok('store', await describe(store));
  } catch (error) {
    return fromError('store', error);
  }
}

async function describe(store: string): Promise<string> {
  try {
    return `${store} is a content store, id ${await readIdentity(store)}`;
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') throw error;
    return `${store} becomes a content store with the first pull`;
  }
}

/** Itself, or the folder above it that is there. @throws LayerpullError `store_unusable` */
async function lowestThere(place: string): Promise<string> {
  try {
    if ((await stat(place)).isDirectory()) return place;
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') {
      return await storing(`use the store ${place}`, async () => {
        throw error;
      });
    }
    return await lowestThere(path.dirname(place));
  }
  throw new LayerpullError('store_unusable', `${place} is no folder`, {
    hint: 'choose another folder with --store',
  });
}

/** The parts of `statfs` that count. */
export interface DiskRoom {
  readonly bsize: number;
  readonly bavail: number;
  /** Files that there may be; 0 where the file system does not count them. */
  readonly files: number;
  readonly ffree: number;
}

/** A small image; a usual one. */
const [leastBytes, plentyBytes] = [64 * 1_048_576, 2 * 1_073_741_824];
/** A blob is a file, and on its way two. */
const [leastFiles, plentyFiles] = [100, 10_000];

/** How much more the file system of a store takes. @param read default: asks the system */
export async function checkRoom(
  store: string,
  read: (place: string) => Promise<DiskRoom> = (place) => statfs(place),
): Promise<Finding | undefined> {
  // Where the store cannot be used, that is said by the check of the store.
  const place = await lowestThere(store).catch(() => undefined);
  if (place === undefined) return undefined;
  const { bsize, bavail, files, ffree } = await read(place);
  const freeFiles = files === 0 ? Number.POSITIVE_INFINITY : ffree;
  const freeBytes = bsize * bavail;
  const message = `${inMebibytes(freeBytes)} free where ${store} is${freeFiles < plentyFiles ? `, and room for ${freeFiles} files` : ''}`;
  if (freeBytes < leastBytes || freeFiles < leastFiles)
    return problem('free space', message, hint, 'store_full');
  return freeBytes < plentyBytes || freeFiles < plentyFiles
    ? warning('free space', message, hint)
    : ok('free space', message);
}

const hint = 'remove what nobody needs with layerpull rm and prune, or move the store with --store';

function inMebibytes(bytes: number): string {
  return `${Math.floor(bytes / 1_048_576).toLocaleString('en')} MiB`;
}
