import { randomUUID } from 'node:crypto';
import { lstat, mkdir, readdir, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import * as v from 'valibot';
import { isLayerpullError, systemCodeOf } from '../core/errors.ts';
import type { DamagedFile } from './check.ts';
import { folderMode, reasonOf, replaceFile } from './files.ts';
import {
  claimName,
  emptyIndex,
  identityPath,
  identityText,
  imagesPath,
  indexPath,
  ingestPath,
  type Layout,
  markerPath,
  ociLayout,
  readIdentity,
  trashPath,
} from './layout.ts';

type Root = Pick<Layout, 'root'>;

/** `code`: of the system, where it did not let the file be read. */
interface LayoutFault extends DamagedFile {
  readonly code?: string;
}

/** OCI image-spec `image-layout.md`. */
const markerSchema = v.looseObject({ imageLayoutVersion: v.literal('1.0.0') });

/**
 * The files that make a folder a store, as far as they are missing or damaged.
 * @throws LayerpullError `store_unusable` for a store in a newer format
 */
export async function faultyLayoutFiles({ root }: Root): Promise<LayoutFault[]> {
  const marker = await faultOf(markerPath({ root }), async (file) => {
    v.parse(markerSchema, JSON.parse(await readFile(file, 'utf8')));
  });
  const identity = await faultOf(identityPath({ root }), () => readIdentity(root));
  const index = await faultOf(indexPath({ root }), (file) => readFile(file));
  const images = await faultOf(imagesPath({ root }), (folder) => readdir(folder));
  return [...marker, ...identity, ...index, ...images];
}

/** Answers false for what the system does not let be read: it may be right. A store whose name is lost takes another. */
export async function rewriteLayoutFile({ root }: Root, file: string): Promise<boolean> {
  const fault = (await faultyLayoutFiles({ root })).find((one) => one.file === file);
  if (!fault) return true;
  if (fault.code !== undefined && !replaceable.has(fault.code)) return false;
  for (const folder of [imagesPath({ root }), ingestPath({ root })]) await makeFolder({ root }, folder);
  const text = contentOf(file);
  if (text === undefined) return true;
  if ((await lstat(file).catch(() => undefined))?.isDirectory()) await moveAside({ root }, file, 'layout');
  // What somebody writes first who makes the store just now is right.
  if (fault.code === 'ENOENT') await claimName(file, text);
  else await replaceFile(file, text, ingestPath({ root }));
  return true;
}

/** What cannot be read for these reasons is not what it should be, whoever reads it. */
const replaceable: ReadonlySet<string> = new Set(['ENOENT', 'EISDIR', 'ENOTDIR', 'ELOOP']);

function contentOf(file: string): string | undefined {
  switch (path.basename(file)) {
    case 'oci-layout':
      return ociLayout;
    case 'layerpull.json':
      return identityText(randomUUID());
    case 'index.json':
      return emptyIndex;
    default:
      return undefined;
  }
}

async function makeFolder(layout: Root, folder: string): Promise<void> {
  const stats = await lstat(folder).catch(() => undefined);
  if (stats?.isFile()) await moveAside(layout, folder, 'layout');
  await mkdir(folder, { recursive: true, mode: folderMode });
}

/** Into the trash, under a name that nothing there has. */
export async function moveAside(layout: Root, file: string, what: string): Promise<string> {
  await mkdir(trashPath(layout), { recursive: true, mode: folderMode });
  const target = path.join(trashPath(layout), `${what}-${randomUUID()}-${path.basename(file)}`);
  await rename(file, target);
  return target;
}

async function faultOf(file: string, read: (file: string) => Promise<unknown>): Promise<LayoutFault[]> {
  try {
    await read(file);
    return [];
  } catch (error) {
    if (isLayerpullError(error) && error.cause === undefined) throw error;
    const code = systemCodeOf(error);
    return [{ file, reason: reasonFor(code, error), ...(code === undefined ? {} : { code }) }];
  }
}

function reasonFor(code: string | undefined, error: unknown): string {
  if (code === undefined) return 'it is damaged';
  if (code === 'EISDIR') return 'it is a folder';
  return code === 'ENOENT' ? 'it is missing' : reasonOf(error);
}
