import type { Digest } from '../core/digest.ts';
import type { Deletion, DeletionOptions } from './blob-store.ts';
import type { Layout } from './layout.ts';
import type { References } from './references.ts';
import { isNeeded, moveToTrash, putBack, removeTrashed, type TrashedBlob } from './trash.ts';

/**
 * The deleter's half of the order that makes deletion safe without trusting any lock. A puller first writes its
 * reference, then looks. A deleter first moves the blob out of the way, then looks for references. So of the two at
 * least one sees the other: the puller finds no blob and downloads it, or the deleter finds the reference and puts the
 * blob back.
 */
export async function deleteBlob(
  layout: Layout,
  references: References,
  digest: Digest,
  { token, check = () => {} }: DeletionOptions,
): Promise<Deletion> {
  if (isNeeded(await references.read(), digest)) return { kind: 'referenced' };
  check();
  const trashed = await moveToTrash(layout, digest, token);
  if (!trashed) return { kind: 'absent' };
  if (await isNeededStill(layout, references, trashed, check)) {
    await putBack(layout, trashed);
    return { kind: 'referenced' };
  }
  await removeTrashed(trashed);
  return { kind: 'deleted', bytes: trashed.size };
}

/** What cannot be told is for somebody else to decide, with the blob in its place. */
async function isNeededStill(
  layout: Layout,
  references: References,
  trashed: TrashedBlob,
  check: () => void,
): Promise<boolean> {
  try {
    const book = await references.read();
    check();
    return isNeeded(book, trashed.digest);
  } catch (error) {
    await putBack(layout, trashed);
    throw error;
  }
}
