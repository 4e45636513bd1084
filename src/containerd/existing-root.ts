import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { LayerpullError } from '../core/errors.ts';
import { type OwnBlob, ownBlobs, ownContentPath } from './own-content.ts';

/** Whether our store has a blob, whole. */
export type HasBlob = (blob: Pick<OwnBlob, 'digest' | 'size'>) => Promise<boolean>;

/** What a root has that containerd would miss behind the content plugin. */
export interface MissingContent {
  /** Blobs that our store has not. */
  readonly missing: { readonly blobs: number; readonly bytes: number };
  /** All that count. */
  readonly blobs: number;
}

/**
 * Whether containerd can run on this root with the content plugin in place of its built-in content store. Its metadata
 * goes on naming what the built-in store had: an image of which a blob is not found there can neither be run nor be
 * pulled again, since containerd believes that it has it.
 *
 * @param has default: our store has nothing yet
 * @param storeId of our store: an import into another one does not count. Default: any import counts
 * @returns `content_not_imported`, with what to do, where blobs are missing
 * @throws LayerpullError `store_unusable` where this user may not look
 */
export async function checkExistingRoot(
  root: string,
  has?: HasBlob,
  storeId?: string,
): Promise<LayerpullError | undefined> {
  const { missing } = await missingContent(root, has, storeId);
  if (missing.blobs === 0) return undefined;
  const { blobs, bytes } = missing;
  return new LayerpullError(
    'content_not_imported',
    `${root} has ${blobs === 1 ? '1 blob' : `${blobs} blobs`} (${bytes} bytes) of its own, which containerd will not find through the content plugin`,
    {
      hint: `stop containerd and start the plugin with --containerd-root ${root} --import, or give containerd an empty root`,
    },
  );
}

/** What of a root has to be imported. Blobs that an import has dealt with count no more. @throws as `checkExistingRoot` */
export async function missingContent(
  root: string,
  has: HasBlob = async () => false,
  storeId?: string,
): Promise<MissingContent> {
  const importedMs = await importedAt(root, storeId);
  const sum = { blobs: 0, bytes: 0 };
  let all = 0;
  for await (const blob of ownBlobs(root)) {
    if (importedMs !== undefined && blob.committedMs <= importedMs) continue;
    all += 1;
    if (await has(blob)) continue;
    sum.blobs += 1;
    sum.bytes += blob.size;
  }
  return { missing: sum, blobs: all };
}

/**
 * Left in the folder of the built-in store by an import that brought all of it; it names the store that has it now. What containerd removes through the
 * plugin later is then not missed, though the old folder still has it. What is newer counts: somebody went back to the
 * built-in store for a while.
 */
export function importMarkerPath(root: string): string {
  return path.join(ownContentPath(root), 'imported-by-layerpull');
}

/** What `importMarkerPath` has. */
export function importMarkerText(storeId: string): string {
  return `Its blobs were brought into this store of layerpull:\n${storeId}\n`;
}

async function importedAt(root: string, storeId: string | undefined): Promise<number | undefined> {
  const marker = importMarkerPath(root);
  const stats = await stat(marker).catch(() => undefined);
  if (!stats?.isFile()) return undefined;
  const isOther =
    storeId !== undefined && (await readFile(marker, 'utf8').catch(() => '')) !== importMarkerText(storeId);
  return isOther ? undefined : stats.mtimeMs;
}
