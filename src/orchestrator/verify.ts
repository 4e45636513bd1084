import pLimit from 'p-limit';
import { formatPlatform } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import type { BlobFile, BlobReading, CheckedImage, DamagedFile, StoreChecker } from '../store/check.ts';

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

export interface CheckResult {
  /** Image records that were read. */
  readonly images: number;
  readonly blobs: number;
  /** Bytes that were read. */
  readonly bytes: number;
  readonly problems: readonly Problem[];
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
  const missing = await findMissing(checker, needed, listed);
  const files = names ? [] : await findFaultyFiles(checker, damaged, signal);
  const bytes = blobs.reduce((sum, { size }) => sum + size, 0);
  return { images: chosen.length, blobs: blobs.length, bytes, problems: [...wrong, ...missing, ...files] };
}

type Needed = ReadonlyMap<Digest, readonly string[]>;

/** Which images need a blob, as people name them. */
function neededBy(images: readonly CheckedImage[]): Needed {
  const needed = new Map<Digest, string[]>();
  for (const { name, platform, needs } of images) {
    for (const digest of needs) {
      needed.set(digest, [...(needed.get(digest) ?? []), `${name} (${formatPlatform(platform)})`]);
    }
  }
  return needed;
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
  const checks = blobs.map(({ digest, size }) =>
    limit(async (): Promise<readonly Problem[]> => {
      signal.throwIfAborted();
      const found = await checker.read(digest, signal, (bytes) => {
        doneBytes += bytes;
        onProgress(doneBytes, totalBytes);
      });
      // One that went while it was read is looked for with the missing ones.
      return problemsIn(found, { digest, size }, needed.get(digest) ?? []);
    }),
  );
  // Every file is closed before a failure is told.
  await Promise.allSettled(checks);
  return (await Promise.all(checks)).flat();
}

function problemsIn(
  reading: BlobReading,
  { digest, size }: BlobFile,
  images: readonly string[],
): readonly Problem[] {
  switch (reading.kind) {
    case 'gone':
      return [];
    case 'no-file':
      return [{ kind: 'no-file', digest, images }];
    case 'unreadable':
      return [{ kind: 'unreadable', digest, reason: reading.reason, images }];
    case 'read':
      if (reading.digest === digest) return [];
      return [{ kind: 'wrong', digest, found: reading.digest, size, images }];
  }
}

/** Looks again at what the list did not have: it may have been published since, or its image be gone. */
async function findMissing(
  checker: StoreChecker,
  needed: Needed,
  listed: readonly BlobFile[],
): Promise<Problem[]> {
  const there = new Set(listed.map(({ digest }) => digest));
  const absent: Digest[] = [];
  for (const digest of needed.keys()) {
    if (!there.has(digest) && !(await checker.has(digest))) absent.push(digest);
  }
  if (absent.length === 0) return [];
  const still = neededBy((await checker.images()).images);
  return absent
    .filter((digest) => still.has(digest))
    .map((digest) => ({ kind: 'missing', digest, images: needed.get(digest) ?? [] }));
}

async function findFaultyFiles(
  checker: StoreChecker,
  damaged: readonly DamagedFile[],
  signal: AbortSignal,
): Promise<Problem[]> {
  const layout = (await checker.layout()).map((fault): Problem => ({ kind: 'layout', ...fault }));
  const records = damaged.map((fault): Problem => ({ kind: 'record', ...fault }));
  const isRight = await checker.isIndexRight(signal);
  return [...layout, ...records, ...(isRight ? [] : [{ kind: 'index' } as const])];
}
