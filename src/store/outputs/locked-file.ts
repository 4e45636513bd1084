import { open } from 'node:fs/promises';
import type { Clock } from '../../core/clock.ts';
import { withFile } from '../files.ts';

const retryMs = 20;

/**
 * Runs `work` while this process alone holds the advisory lock on a file, so that two that write into one layout lose
 * no image of each other. The kernel frees it with the process; a file system without such locks goes without.
 */
export async function withLockedFile(
  file: string,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
  work: () => Promise<void>,
): Promise<void> {
  const { default: locks } = await import('fs-native-extensions');
  await withFile(await open(file, 'r+'), async (handle) => {
    const tryLock = () => {
      try {
        return locks.tryLock(handle.fd);
      } catch {
        return true;
      }
    };
    while (!tryLock()) await clock.sleep(retryMs, signal);
    await work();
  });
}
