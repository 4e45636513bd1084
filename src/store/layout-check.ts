import { randomUUID } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import * as v from 'valibot';
import { isLayerpullError, systemCodeOf } from '../core/errors.ts';
import type { DamagedFile } from './check.ts';
import { folderMode, reasonOf, replaceFile } from './files.ts';
import {
  identityPath,
  identityText,
  ingestPath,
  type Layout,
  markerPath,
  ociLayout,
  readIdentity,
} from './layout.ts';

type Root = Pick<Layout, 'root'>;

/** OCI image-spec `image-layout.md`. */
const markerSchema = v.looseObject({ imageLayoutVersion: v.literal('1.0.0') });

/**
 * The files that make a folder a store, as far as they are missing or damaged.
 * @throws LayerpullError `store_unusable` for a store in a newer format
 */
export async function faultyLayoutFiles({ root }: Root): Promise<DamagedFile[]> {
  const marker = await faultOf(markerPath({ root }), async (file) => {
    v.parse(markerSchema, JSON.parse(await readFile(file, 'utf8')));
  });
  return [...marker, ...(await faultOf(identityPath({ root }), () => readIdentity(root)))];
}

/** Writes such a file anew. A store whose name is lost takes another. */
export async function rewriteLayoutFile({ root }: Root, file: string): Promise<void> {
  const text = path.basename(file) === 'oci-layout' ? ociLayout : identityText(randomUUID());
  await mkdir(ingestPath({ root }), { recursive: true, mode: folderMode });
  await replaceFile(file, text, ingestPath({ root }));
}

async function faultOf(file: string, read: (file: string) => Promise<unknown>): Promise<DamagedFile[]> {
  try {
    await read(file);
    return [];
  } catch (error) {
    if (isLayerpullError(error) && error.cause === undefined) throw error;
    return [{ file, reason: reasonFor(error) }];
  }
}

function reasonFor(error: unknown): string {
  const code = systemCodeOf(error);
  if (code === undefined) return 'it is damaged';
  return code === 'ENOENT' ? 'it is missing' : reasonOf(error);
}
