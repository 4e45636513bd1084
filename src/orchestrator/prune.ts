import type { Leftover } from '../store/garbage.ts';
import { type DeletedBlob, deleteUnreferenced, type RemovalParts, refuseUnreadable } from './remove.ts';

/** The document of `prune --json`. */
export interface PruneResult {
  /** Absolute path of the store. */
  readonly store: string;
  /** Nothing was changed: the rest says what would be. */
  readonly dryRun: boolean;
  /** Blobs that nobody references. */
  readonly blobs: readonly DeletedBlob[];
  /** What broken-off downloads and deletions left. */
  readonly leftovers: readonly Leftover[];
  /** Bytes of both. */
  readonly bytesFreed: number;
}

/**
 * Removes what nobody needs: blobs without references, partials that no running pull goes on with, and what is left of
 * deletions that were broken off.
 *
 * @throws LayerpullError `lock_*` when no lock service is in reach, and then nothing was changed; `store_*`
 */
export async function prune(parts: RemovalParts, signal: AbortSignal): Promise<PruneResult> {
  const { store, locks } = parts;
  await refuseUnreadable(parts);
  await locks.connect(signal);
  const leftovers = await store.garbage.collect();
  const blobs = await deleteUnreferenced(await allBlobs(parts), parts, signal);
  await store.images.remove([]);
  return result(parts, false, blobs, leftovers);
}

/** What `prune` would remove now. Changes nothing, and needs nobody's leave. */
export async function previewPrune(parts: Pick<RemovalParts, 'store'>): Promise<PruneResult> {
  const { store } = parts;
  await refuseUnreadable(parts);
  const leftovers = await store.garbage.find();
  const listed = await allBlobs(parts);
  const book = await store.references.read();
  const blobs = listed.filter(({ digest }) => book.of(digest).length === 0);
  return result(parts, true, blobs, leftovers);
}

async function allBlobs({ store }: Pick<RemovalParts, 'store'>): Promise<DeletedBlob[]> {
  const blobs: DeletedBlob[] = [];
  for await (const blob of store.blobs.list()) blobs.push(blob);
  return blobs;
}

function result(
  { store }: Pick<RemovalParts, 'store'>,
  dryRun: boolean,
  blobs: readonly DeletedBlob[],
  leftovers: readonly Leftover[],
): PruneResult {
  const sizes = [...blobs.map(({ size }) => size), ...leftovers.map(({ bytes }) => bytes)];
  const bytesFreed = sizes.reduce((sum, bytes) => sum + bytes, 0);
  return { store: store.blobs.path, dryRun, blobs, leftovers, bytesFreed };
}
