import type { Digest } from '../core/digest.ts';
import type { OperationType } from '../lock/locks.ts';

/** How one operation on a layer ended. `outcome` is `downloaded`, `present`, `deleted`, `referenced` … */
export type OperationResult =
  | { readonly success: true; readonly outcome: string; readonly bytes: number }
  | { readonly success: false; readonly error: unknown };

/** What a caller of the hooks may decide and record. */
export interface LayerCallbacks {
  /**
   * Whether there is nothing to do. Asked before any request to the lock service, so what answers true costs it nothing.
   * Default: a pull is skipped when the blob is in the store, a deletion when somebody references the blob.
   */
  shouldSkip(type: OperationType, digest: Digest): Promise<boolean>;
  /**
   * Told how the operation ended, also when it was skipped, before its outcome is given back: the place to keep count of
   * who needs what. What it throws after a success is thrown; after a failure, the failure is.
   */
  updateReferences(type: OperationType, digest: Digest, result: OperationResult): Promise<void>;
}

interface Outcome {
  readonly kind: string;
  readonly bytes: number;
}

/** Runs one operation and tells `update` how it ended. */
export async function tellingHowItEnds<T extends Outcome>(
  update: LayerCallbacks['updateReferences'] | undefined,
  type: OperationType,
  digest: Digest,
  work: () => Promise<T>,
): Promise<T> {
  const outcome = await work().catch(async (error: unknown) => {
    await update?.(type, digest, { success: false, error }).catch(() => {});
    throw error;
  });
  await update?.(type, digest, { success: true, outcome: outcome.kind, bytes: outcome.bytes });
  return outcome;
}
