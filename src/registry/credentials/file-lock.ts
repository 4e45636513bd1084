import { constants } from 'node:fs';
import { type FileHandle, open, stat, unlink } from 'node:fs/promises';
import type { Clock } from '../../core/clock.ts';
import { systemCodeOf } from '../../core/errors.ts';

const retryMs = 20;
/** A change takes milliseconds: whoever holds the lock for longer was stopped. */
const patienceMs = 10_000;
const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;

/**
 * Runs `work` while this process alone may change the file at `path`. An advisory lock on `PATH.lock`: the kernel frees
 * it with the process, so nothing that a killed one leaves behind is in the way. A file system without such locks goes
 * without.
 *
 * @throws Error when somebody else keeps the lock; `signal.reason`
 */
export async function whileLocked<T>(
  path: string,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
  work: () => Promise<T>,
): Promise<T> {
  const lockPath = `${path}.lock`;
  const untilMs = clock.now() + patienceMs;
  for (;;) {
    signal.throwIfAborted();
    const held = await tryHold(lockPath);
    if (held) {
      try {
        return await work();
      } finally {
        await letGo(held, lockPath);
      }
    }
    if (clock.now() >= untilMs) throw new Error(`another process keeps ${lockPath} locked`);
    await clock.sleep(retryMs, signal);
  }
}

async function tryHold(lockPath: string): Promise<FileHandle | undefined> {
  const { default: locks } = await import('fs-native-extensions');
  const file = await open(lockPath, flags, 0o600);
  let holds = false;
  try {
    holds = tryLock(locks, file.fd) && (await isStillAt(lockPath, file));
  } finally {
    if (!holds) await file.close();
  }
  return holds ? file : undefined;
}

function tryLock(locks: { tryLock(fd: number): boolean }, fd: number): boolean {
  try {
    return locks.tryLock(fd);
  } catch {
    return true;
  }
}

/** Whoever held the lock before may have taken the file away after it was opened here. */
async function isStillAt(lockPath: string, file: FileHandle): Promise<boolean> {
  const own = await file.stat();
  try {
    const { dev, ino } = await stat(lockPath);
    return dev === own.dev && ino === own.ino;
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Taken away before it is unlocked: only its holder does that. */
async function letGo(file: FileHandle, lockPath: string): Promise<void> {
  await unlink(lockPath).catch(() => {});
  await file.close();
}
