import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, mkdir, readdir, readFile, rename, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import * as v from 'valibot';
import type { Clock } from '../../core/clock.ts';
import type { Descriptor } from '../../core/descriptor.ts';
import { type Digest, digestAlgorithm, digestHex } from '../../core/digest.ts';
import { systemCodeOf } from '../../core/errors.ts';
import { folderMode, replaceFile, syncFolder } from '../files.ts';
import { claimName } from '../layout.ts';
import { refusal } from './failure.ts';
import { withLockedFile } from './locked-file.ts';
import { addToLayoutIndex, emptyLayoutIndex, layoutMarker, parseLayoutIndex } from './oci-index.ts';

/** A folder inside of a layout where blobs are gathered until all of them are there. */
export interface Stage {
  fileFor(digest: Digest): string;
  /** Moves the blobs to their places, and then names the image in `index.json`. */
  publish(
    image: Descriptor,
    tag: string | undefined,
    waiting: { readonly clock: Clock; readonly signal: AbortSignal },
  ): Promise<void>;
  /** Removes what was not published, and the folder of the layout where it was made for nothing. */
  remove(): Promise<void>;
}

const stagePrefix = '.layerpull-';
const markerSchema = v.looseObject({ imageLayoutVersion: v.pipe(v.string(), v.startsWith('1.')) });

/**
 * Only a new or empty folder, or a layout, takes an image. A store of ours does not: what is in there without a record
 * of its own would be removed as unneeded. @throws LayerpullError `output_failed`
 */
export async function checkLayout(folder: string): Promise<void> {
  const names = await namesIn(folder);
  if (names === undefined) return await access(await nearestFolder(folder), constants.W_OK);
  if (names.includes('layerpull.json')) {
    throw refusal(
      `${folder} is a content store of layerpull`,
      'pull into it with --store, or choose another folder',
    );
  }
  // Looked for after the listing: of what another pull makes meanwhile, it is what is made first.
  if (await isThere(path.join(folder, 'oci-layout'))) return await checkContent(folder);
  if (names.every(isOurs)) return await access(folder, constants.W_OK);
  throw refusal(
    `${folder} is not an OCI image layout: it holds other files`,
    'choose a new folder or an OCI image layout with --output',
  );
}

/** What a pull leaves there while it makes a layout, and what file systems put into their roots. */
function isOurs(name: string): boolean {
  return name === 'lost+found' || name.startsWith(stagePrefix) || name.startsWith('.draft-');
}

async function checkContent(folder: string): Promise<void> {
  await access(folder, constants.W_OK);
  const marker = path.join(folder, 'oci-layout');
  const { success } = v.safeParse(markerSchema, parseJson(await readFile(marker, 'utf8')));
  if (!success) throw refusal(`${marker} is not one of version 1`, 'choose another folder with --output');
  await readIndex(folder);
}

export async function openStage(folder: string): Promise<Stage> {
  const stage = path.join(folder, `${stagePrefix}${randomUUID()}`);
  const firstMade = await mkdir(stage, { recursive: true, mode: folderMode });
  const staged = new Set<Digest>();
  return {
    fileFor(digest) {
      staged.add(digest);
      return path.join(stage, fileNameOf(digest));
    },
    async publish(image, tag, { clock, signal }) {
      const marker = path.join(folder, 'oci-layout');
      signal.throwIfAborted();
      await claimName(marker, layoutMarker);
      await withLockedFile(marker, { clock, signal }, async () => {
        await moveBlobs(stage, folder, staged);
        const index = addToLayoutIndex(await readIndex(folder), image, tag);
        await replaceFile(path.join(folder, 'index.json'), index, stage);
      });
    },
    async remove() {
      await rm(stage, { recursive: true, force: true }).catch(() => {});
      if (firstMade !== undefined) await removeEmpty(folder, firstMade);
    },
  };
}

async function moveBlobs(stage: string, folder: string, staged: ReadonlySet<Digest>): Promise<void> {
  const targets = new Set<string>();
  for (const digest of staged) {
    const target = path.join(folder, 'blobs', digestAlgorithm(digest));
    if (!targets.has(target)) await mkdir(target, { recursive: true, mode: folderMode });
    targets.add(target);
    await rename(path.join(stage, fileNameOf(digest)), path.join(target, digestHex(digest)));
  }
  for (const target of targets) await syncFolder(target);
}

function fileNameOf(digest: Digest): string {
  return `${digestAlgorithm(digest)}-${digestHex(digest)}`;
}

async function readIndex(folder: string) {
  const file = path.join(folder, 'index.json');
  const text = await readFile(file, 'utf8').catch((error) => {
    if (systemCodeOf(error) !== 'ENOENT') throw error;
    return undefined;
  });
  return text === undefined ? emptyLayoutIndex : parseLayoutIndex(text, file);
}

/** Upwards from `folder` to the first one that was made for it, as long as they are empty. */
async function removeEmpty(folder: string, firstMade: string): Promise<void> {
  for (let current = folder; current.length >= firstMade.length; current = path.dirname(current)) {
    const isGone = await rmdir(current).then(
      () => true,
      () => false,
    );
    if (!isGone) return;
  }
}

async function namesIn(folder: string): Promise<string[] | undefined> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') throw error;
    return undefined;
  }
}

async function isThere(file: string): Promise<boolean> {
  return await access(file).then(
    () => true,
    () => false,
  );
}

async function nearestFolder(folder: string): Promise<string> {
  for (let current = path.dirname(folder); ; current = path.dirname(current)) {
    if ((await namesIn(current)) !== undefined) return current;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
