import { constants } from 'node:fs';
import { copyFile, open, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../../core/clock.ts';
import type { Descriptor } from '../../core/descriptor.ts';
import { digestAlgorithm, digestHex } from '../../core/digest.ts';
import { systemCodeOf } from '../../core/errors.ts';
import type { BlobStore } from '../blob-store.ts';
import { fileMode, withFile, writeNew } from '../files.ts';
import { blobPath } from '../layout.ts';
import { writing } from './failure.ts';
import type { ImageOutput, OutputImage } from './image-output.ts';
import { gatherOci, type OciContents } from './oci-contents.ts';
import { checkLayout, openStage, type Stage } from './oci-stage.ts';
import { writeAll } from './sinks.ts';
import { readVerified } from './verified.ts';

export interface OciDirectoryOptions {
  /** Absolute path of the folder. */
  readonly folder: string;
  readonly tag: string | undefined;
  readonly clock: Clock;
}

/**
 * An OCI layout: a new one, or one that is there and gets the image beside its others. Blobs are copies (which share
 * their bytes where the file system can), never links: whoever changes them there must not change the store.
 */
export function ociDirectory({ folder, tag, clock }: OciDirectoryOptions): ImageOutput {
  return {
    check: () => writing(folder, () => checkLayout(folder)),
    async write(image, blobs, signal) {
      try {
        return await writing(folder, () => writeImage(image, { folder, tag, clock }, { blobs, signal }));
      } catch (error) {
        signal.throwIfAborted();
        throw error;
      }
    },
  };
}

interface Reading {
  readonly blobs: BlobStore;
  readonly signal: AbortSignal;
}

async function writeImage(
  image: OutputImage,
  { folder, tag, clock }: OciDirectoryOptions,
  { blobs, signal }: Reading,
): Promise<number> {
  const contents = await gatherOci(image, blobs);
  const stage = await enterLayout(folder);
  try {
    const bytes = await fillStage(stage, folder, contents, { blobs, signal });
    await stage.publish(contents.top, tag, { clock, signal });
    return bytes;
  } finally {
    await stage.remove();
  }
}

/** Tries against another pull that fails and takes away the folder that it had made. */
const maxTries = 20;

async function enterLayout(folder: string): Promise<Stage> {
  for (let round = 1; ; round += 1) {
    try {
      await checkLayout(folder);
      return await openStage(folder);
    } catch (error) {
      if (systemCodeOf(error) !== 'ENOENT' || round >= maxTries) throw error;
    }
  }
}

/** Answers the bytes that were not there yet. */
async function fillStage(
  stage: Stage,
  folder: string,
  { documents, blobs: wanted }: OciContents,
  reading: Reading,
): Promise<number> {
  let bytes = 0;
  for (const blob of wanted.values()) {
    if (await isThere(folder, blob)) continue;
    await copyBlob(blob, stage.fileFor(blob.digest), reading);
    bytes += blob.size;
  }
  for (const [digest, document] of documents) {
    await writeNew(stage.fileFor(digest), document);
    bytes += document.length;
  }
  return bytes;
}

async function isThere(folder: string, { digest, size }: Descriptor): Promise<boolean> {
  const file = path.join(folder, 'blobs', digestAlgorithm(digest), digestHex(digest));
  const stats = await stat(file).catch(() => undefined);
  return stats?.isFile() === true && stats.size === size;
}

/** Shares the bytes where the file system can, and else copies and verifies them piece by piece. */
async function copyBlob(blob: Descriptor, file: string, { blobs, signal }: Reading): Promise<void> {
  if (await cloneBlob(blob, file, blobs)) return;
  await withFile(await open(file, 'wx', fileMode), async (handle) => {
    for await (const piece of readVerified(blobs, blob, signal)) await writeAll(handle, piece);
    await handle.sync();
  });
}

async function cloneBlob({ digest, size }: Descriptor, file: string, blobs: BlobStore): Promise<boolean> {
  const source = blobPath({ root: blobs.path }, digest);
  try {
    await copyFile(source, file, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE);
    return (await stat(file)).size === size;
  } catch {
    await rm(file, { force: true });
    return false;
  }
}
