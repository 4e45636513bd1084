import type { FileHandle } from 'node:fs/promises';

/** Takes an advisory lock on a file that is open for writing. False also where the file system knows no locks. */
export async function tryLock(handle: FileHandle): Promise<boolean> {
  try {
    const { default: locks } = await import('fs-native-extensions');
    return locks.tryLock(handle.fd);
  } catch {
    return false;
  }
}

/** Whether somebody else has a file locked; `unknown` where the file system knows no locks. */
export async function lockStateOf(handle: FileHandle): Promise<'held' | 'free' | 'unknown'> {
  try {
    const { default: locks } = await import('fs-native-extensions');
    if (!locks.tryLock(handle.fd, { shared: true })) return 'held';
    locks.unlock(handle.fd);
    return 'free';
  } catch {
    return 'unknown';
  }
}
