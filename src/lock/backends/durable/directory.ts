import { type FileHandle, mkdir, open } from 'node:fs/promises';
import path from 'node:path';
import { isLayerpullError, LayerpullError, messageOf } from '../../../core/errors.ts';

/** The data directory of one running server. */
export interface DataDirectory {
  readonly path: string;
  /** Lets the next server in. Idempotent. */
  close(): Promise<void>;
}

/**
 * Makes the directory if need be and locks it for this process. The kernel frees the lock with the process, so no
 * stale one is ever in the way.
 *
 * @throws LayerpullError `data_in_use` while another server has it; `data_unusable` where it cannot be made or written
 */
export async function openDirectory(directory: string): Promise<DataDirectory> {
  const file = await openLockFile(directory);
  try {
    if (!(await tryLock(file))) throw inUse(directory);
  } catch (error) {
    await file.close();
    throw isLayerpullError(error) ? error : unusable(directory, error);
  }
  let closed: Promise<void> | undefined;
  return {
    path: directory,
    close: () => {
      closed ??= file.close();
      return closed;
    },
  };
}

async function openLockFile(directory: string): Promise<FileHandle> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    return await open(path.join(directory, 'server.lock'), 'a+', 0o600);
  } catch (error) {
    throw unusable(directory, error);
  }
}

async function tryLock(file: FileHandle): Promise<boolean> {
  const { default: locks } = await import('fs-native-extensions');
  return locks.tryLock(file.fd);
}

function inUse(directory: string): LayerpullError {
  return new LayerpullError('data_in_use', `another lock server runs on the data directory ${directory}`, {
    hint: 'stop it, or give this one a directory of its own with --data, or none with --ephemeral',
  });
}

export function unusable(directory: string, cause: unknown): LayerpullError {
  return new LayerpullError(
    'data_unusable',
    `cannot use the data directory ${directory}: ${messageOf(cause)}`,
    {
      hint: 'choose another one with --data, or run without one with --ephemeral',
      cause,
    },
  );
}
