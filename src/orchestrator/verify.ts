import pLimit from 'p-limit';
import { formatPlatform } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import type {
  BlobFile,
  BlobReading,
  CheckedImage,
  DamagedFile,
  NeededBlob,
  StoreChecker,
} from '../store/check.ts';

/** Something that a store promises and does not keep. */
export type Problem =
  /** An image needs a blob that is not there. */
  | { readonly kind: 'missing'; readonly digest: Digest; readonly images: readonly string[] }
  /** A blob's bytes are others than its digest says. `images`: those that need it, perhaps none. */
  | {
      readonly kind: 'wrong';
      readonly digest: Digest;
      readonly found: Digest;
      readonly size: number;
      readonly images: readonly string[];
    }
  /** A blob is what its digest says, and not as long as its image says (`expected`). */
  | {
      readonly kind: 'size';
      readonly digest: Digest;
      readonly size: number;
      readonly expected: number;
      readonly images: readonly string[];
    }
  /** What an image has as its manifest is none. */
  | { readonly kind: 'no-manifest'; readonly digest: Digest; readonly images: readonly string[] }
  /** Something that is no file stands under a digest. */
  | { readonly kind: 'no-file'; readonly digest: Digest; readonly images: readonly string[] }
  /** The system does not let a blob be read. */
  | {
      readonly kind: 'unreadable';
      readonly digest: Digest;
      readonly reason: string;
      readonly images: readonly string[];
    }
  /** `oci-layout` or `layerpull.json` is missing or damaged. */
  | { readonly kind: 'layout'; readonly file: string; readonly reason: string }
  /** A file in `images/` is no image record. */
  | { readonly kind: 'record'; readonly file: string; readonly reason: string }
  /** `index.json` does not say what the images say. */
  | { readonly kind: 'index' };

/**
 * Something that is not there, and without which an image counts as whole: a layer that registries need not have, or a
 * part of what its index lists beside images.
 */
export interface Note {
  readonly kind: 'foreign' | 'attached';
  readonly digest: Digest;
  readonly images: readonly string[];
}

export interface CheckResult {
  /** Image records that were read. */
  readonly images: number;
  readonly blobs: number;
  /** Bytes that were read. */
  readonly bytes: number;
  readonly problems: readonly Problem[];
  readonly notes: readonly Note[];
}

export interface CheckRequest {
  /** Of these images alone, by name. Default: the whole store. */
  readonly names?: ReadonlySet<string>;
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

/** As many as there are processors on a small machine: hashing is what takes time. */
const atOnce = 2;

/** Reads every blob, and holds what is there against what images need. Changes nothing. */
export async function checkStore(
  checker: StoreChecker,
  { names, onProgress = () => {} }: CheckRequest,
  signal: AbortSignal,
): Promise<CheckResult> {
  const { images, damaged } = await checker.images();
  const chosen = names ? images.filter(({ name }) => names.has(name)) : images;
  const needed = neededBy(chosen);
  const listed = await checker.blobs();
  const blobs = names ? listed.filter(({ digest }) => needed.has(digest)) : listed;
  const wrong = await findWrong(checker, blobs, needed, onProgress, signal);
  const missing = await findMissing(checker, needed, listed, signal);
  const files = names ? [] : await findFaultyFiles(checker, damaged, signal);
  const bytes = blobs.reduce((sum, { size }) => sum + size, 0);
  const contents = [...wrong, ...missing.problems];
  const noManifests = await findNoManifests(checker, chosen, contents, signal);
  const problems = [...contents, ...noManifests, ...files];
  return { images: chosen.length, blobs: blobs.length, bytes, problems, notes: missing.notes };
}

interface Need extends Omit<NeededBlob, 'digest'> {
  /** Which images need it, as people name them. */
  readonly images: readonly string[];
}

type Needed = ReadonlyMap<Digest, Need>;

/** From what may be missing to what may not. */
const roles: readonly NeededBlob['role'][] = ['listed', 'attached', 'foreign', 'required'];

/** What one image may be without, another may need. */
function neededBy(images: readonly CheckedImage[]): Needed {
  const needed = new Map<Digest, Need>();
  for (const image of images) {
    for (const { digest, role, size } of image.needs) {
      const known = needed.get(digest);
      const isFirst = !known || roles.indexOf(role) > roles.indexOf(known.role);
      const expected = known?.size ?? size;
      needed.set(digest, {
        role: isFirst ? role : known.role,
        images: [...new Set([...(known?.images ?? []), nameOf(image)])],
        ...(expected === undefined ? {} : { size: expected }),
      });
    }
  }
  return needed;
}

function nameOf({ name, platform }: CheckedImage): string {
  return `${name} (${formatPlatform(platform)})`;
}

/** The images whose manifest is there and right, and none. */
async function findNoManifests(
  checker: StoreChecker,
  chosen: readonly CheckedImage[],
  faulty: readonly Problem[],
  signal: AbortSignal,
): Promise<Problem[]> {
  const known = new Set(faulty.map((problem) => ('digest' in problem ? problem.digest : undefined)));
  const suspects = chosen.filter(({ isReadable, manifest }) => !isReadable && !known.has(manifest));
  if (suspects.length === 0) return [];
  const { images } = await checker.images();
  const found: Problem[] = [];
  for (const { manifest: digest, ...suspect } of suspects) {
    const now = images.find((one) => one.name === suspect.name && one.manifest === digest);
    if (!now || now.isReadable || !(await checker.has(digest, signal))) continue;
    found.push({ kind: 'no-manifest', digest, images: [nameOf(now)] });
  }
  return found;
}

async function findWrong(
  checker: StoreChecker,
  blobs: readonly BlobFile[],
  needed: Needed,
  onProgress: (doneBytes: number, totalBytes: number) => void,
  signal: AbortSignal,
): Promise<Problem[]> {
  const totalBytes = blobs.reduce((sum, { size }) => sum + size, 0);
  let doneBytes = 0;
  const limit = pLimit(atOnce);
  const checks = blobs.map(({ digest }) =>
    limit(async (): Promise<readonly Problem[]> => {
      signal.throwIfAborted();
      const found = await checker.read(digest, signal, (bytes) => {
        doneBytes += bytes;
        onProgress(doneBytes, totalBytes);
      });
      // One that went while it was read is looked for with the missing ones.
      const need = needed.get(digest);
      if (problemsIn(found, digest, need).length === 0) return [];
      // A pull or a repair may have put another in its place meanwhile.
      return problemsIn(await checker.read(digest, signal), digest, need);
    }),
  );
  // Every file is closed before a failure is told.
  await Promise.allSettled(checks);
  return (await Promise.all(checks)).flat();
}

function problemsIn(
  reading: BlobReading,
  digest: Digest,
  { size: expected, images }: Pick<Need, 'size' | 'images'> = { images: [] },
): readonly Problem[] {
  switch (reading.kind) {
    case 'gone':
      return [];
    case 'no-file':
      return [{ kind: 'no-file', digest, images }];
    case 'unreadable':
      return [{ kind: 'unreadable', digest, reason: reading.reason, images }];
    case 'read': {
      const { digest: found, size } = reading;
      if (found !== digest) return [{ kind: 'wrong', digest, found, size, images }];
      return expected === undefined || expected === size
        ? []
        : [{ kind: 'size', digest, size, expected, images }];
    }
  }
}

/** So many are looked for at once. */
const looksAtOnce = 8;

/** Looks again at what the list did not have: it may have been published since, or its image be gone. */
async function findMissing(
  checker: StoreChecker,
  needed: Needed,
  listed: readonly BlobFile[],
  signal: AbortSignal,
): Promise<{ readonly problems: readonly Problem[]; readonly notes: readonly Note[] }> {
  const there = new Set(listed.map(({ digest }) => digest));
  const unlisted = [...needed.keys()].filter((digest) => !there.has(digest));
  const limit = pLimit(looksAtOnce);
  const found = await Promise.all(unlisted.map((digest) => limit(() => checker.has(digest, signal))));
  const absent = unlisted.filter((_, at) => !found[at]);
  const still = absent.length === 0 ? needed : neededBy((await checker.images()).images);
  const problems: Problem[] = [];
  const notes: Note[] = [];
  for (const digest of absent) {
    const { role, images } = needed.get(digest) ?? { role: 'listed', images: [] };
    if (!still.has(digest) || role === 'listed') continue;
    if (role === 'required') problems.push({ kind: 'missing', digest, images });
    else notes.push({ kind: role, digest, images });
  }
  return { problems, notes };
}

async function findFaultyFiles(
  checker: StoreChecker,
  damaged: readonly DamagedFile[],
  signal: AbortSignal,
): Promise<Problem[]> {
  const layout = (await checker.layout()).map(
    ({ file, reason }): Problem => ({ kind: 'layout', file, reason }),
  );
  const records = damaged.map((fault): Problem => ({ kind: 'record', ...fault }));
  const isRight = await checker.isIndexRight(signal);
  return [...layout, ...records, ...(isRight ? [] : [{ kind: 'index' } as const])];
}
