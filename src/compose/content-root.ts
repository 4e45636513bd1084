import { stat } from 'node:fs/promises';
import type { ContainerdRootConfig } from '../config/containerd-root.ts';
import { checkExistingRoot, missingContent } from '../containerd/existing-root.ts';
import { type ImportTarget, importRoot } from '../containerd/import-root.ts';
import { LayerpullError, messageOf, systemCodeOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';

export interface ContentRootDeps {
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Between two lines of the log, in bytes brought. */
const tellEveryBytes = 4 * 1_073_741_824;

/**
 * Sees to what containerd kept itself before it got a content plugin. To be called before the plugin reads what its
 * containerd needs.
 *
 * @param shelf the plugin's part of the store
 * @throws LayerpullError `content_not_imported` where containerd would miss content; `usage`, `store_*`; the signal's reason
 */
export async function settleRoot(
  root: ContainerdRootConfig | undefined,
  shelf: ImportTarget,
  { log, signal }: ContentRootDeps,
): Promise<void> {
  if (!root) return;
  const { path } = root;
  const { storeId } = shelf;
  const has = async ({ digest, size }: { digest: Parameters<ImportTarget['sizeOf']>[0]; size: number }) =>
    (await shelf.sizeOf(digest)) === size;
  if (!root.isImport) {
    const error = await checkExistingRoot(path, has, storeId);
    if (error) throw error;
    return;
  }
  await refuseNoRoot(path);
  const { blobs } = await missingContent(path, undefined, storeId);
  if (blobs === 0) {
    log.info({ root: path }, 'nothing is left to import');
    return;
  }
  log.info({ root: path, blobs }, 'importing what containerd kept itself');
  let toldBytes = 0;
  const imported = await importRoot(path, shelf, signal, (progress) => {
    if (progress.bytes - toldBytes < tellEveryBytes) return;
    toldBytes = progress.bytes;
    log.info({ ...progress, of: blobs }, 'importing');
  });
  const { damaged, ...sum } = imported;
  for (const digest of damaged) {
    log.warn(
      { digest, root: path },
      'a blob is damaged and was not imported: remove its image and pull it again',
    );
  }
  log.info({ root: path, ...sum, damaged: damaged.length }, 'imported what containerd kept itself');
}

/** Whoever imports means a root that is there. */
async function refuseNoRoot(root: string): Promise<void> {
  const stats = await stat(root).catch((error: unknown) => {
    if (systemCodeOf(error) === 'ENOENT') return undefined;
    throw new LayerpullError('store_unusable', `cannot look at ${root}: ${messageOf(error)}`, {
      cause: error,
    });
  });
  if (stats?.isDirectory()) return;
  throw new LayerpullError('usage', `nothing can be imported from ${root}: no folder is there`, {
    hint: 'name the root of containerd with --containerd-root, such as /var/lib/containerd',
  });
}
