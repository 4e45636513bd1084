import type { Digest } from '../core/digest.ts';
import { LayerpullError, messageOf } from '../core/errors.ts';
import { waitForDeletion } from '../hooks/layer-delete.ts';
import type { SessionLocks } from '../lock/locks.ts';
import type { StoreChecker, StoreRepair } from '../store/check.ts';
import { type CheckRequest, type CheckResult, checkStore, type Problem } from './verify.ts';

export interface RepairParts {
  readonly checker: StoreChecker;
  readonly repair: StoreRepair;
  /** Must not go on without a lock service. */
  readonly locks: SessionLocks & { connect(signal: AbortSignal): Promise<void> };
}

export interface RepairResult extends CheckResult {
  /** What was found and is mended. `problems` has what is left. */
  readonly repaired: readonly Problem[];
}

/**
 * Checks a store and mends what can be mended without a registry: wrong blobs are removed, files that are no records
 * are moved aside, `index.json` is derived anew. What images miss then is left to a pull.
 *
 * @throws LayerpullError `lock_*` when no lock service is in reach, and then nothing was changed; `store_*`
 */
export async function repairStore(
  request: CheckRequest,
  { checker, repair, locks }: RepairParts,
  signal: AbortSignal,
): Promise<RepairResult> {
  const before = await checkStore(checker, request, signal);
  if (before.problems.length === 0) return { ...before, repaired: [] };
  await locks.connect(signal);
  await repair.settle();
  const repaired: Problem[] = [];
  for (const problem of before.problems) {
    if (await mend(problem, { checker, repair, locks }, signal)) repaired.push(problem);
  }
  const { problems, notes } = await checkStore(checker, request, signal);
  return { ...before, problems, notes, repaired };
}

async function mend(
  problem: Problem,
  { checker, repair, locks }: RepairParts,
  signal: AbortSignal,
): Promise<boolean> {
  switch (problem.kind) {
    case 'wrong':
      return await removeWrong(problem, repair, locks, signal);
    case 'no-file':
      return await removeWrong({ ...problem, size: 0 }, repair, locks, signal);
    case 'layout':
      return await repair.rewriteLayout(problem.file);
    case 'record': {
      const isAside = await repair.setAside(problem.file);
      if (isAside) await repair.deriveIndex();
      return isAside;
    }
    case 'index':
      await repair.deriveIndex();
      return true;
    case 'missing':
      // A deletion that was broken off may have had it.
      return await checker.has(problem.digest, signal);
    case 'size':
    case 'no-manifest':
    case 'unreadable':
      return false;
  }
}

/** Under the lock of a deletion: its success makes the lock service forget that the blob was pulled. */
async function removeWrong(
  { digest, size }: { readonly digest: Digest; readonly size: number },
  repair: StoreRepair,
  locks: SessionLocks,
  signal: AbortSignal,
): Promise<boolean> {
  const hold = await waitForDeletion({ digest, size }, locks, signal);
  if (!hold) return false;
  try {
    hold.revoked.throwIfAborted();
    if (hold.token === undefined) throw noLock(digest);
    const wasWrong = await repair.discardWrong(digest, hold.token, signal);
    await hold.release({ success: true });
    return wasWrong;
  } catch (error) {
    await hold.release({ success: false, error: messageOf(error), class: 'node' });
    throw error;
  }
}

function noLock(digest: Digest): LayerpullError {
  return new LayerpullError('lock_refused', `the lock server gave no lock to remove ${digest} with`);
}
