import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';
import { systemCodeOf } from '../core/errors.ts';

/**
 * `STORE/coordinator.wish`: locked by an agent that waits to coordinate the store. Who coordinates it for as long as the
 * machine runs steps aside then. The kernel frees the lock with its process.
 */
function wishPath(store: string): string {
  return path.join(store, 'coordinator.wish');
}

export interface LeadWish {
  /** Takes the wish back. */
  close(): Promise<void>;
}

/** Undefined while somebody else has it, or looks whether somebody has. @throws the system's error */
export async function wishToLead(store: string): Promise<LeadWish | undefined> {
  const file = await open(wishPath(store), constants.O_RDWR | constants.O_CREAT, 0o644);
  if (await tryLock(file)) return file;
  await file.close();
  return undefined;
}

/** Whether an agent waits to coordinate the store. @throws the system's error */
export async function isLeadWanted(store: string): Promise<boolean> {
  const file = await openWish(store);
  if (!file) return false;
  try {
    return !(await tryLock(file));
  } finally {
    await file.close();
  }
}

/** A lock takes a file that may be written. Where this user may not, there is nothing for it to give up either. */
async function openWish(store: string): Promise<FileHandle | undefined> {
  try {
    return await open(wishPath(store), constants.O_RDWR);
  } catch (error) {
    const code = systemCodeOf(error) ?? '';
    if (['ENOENT', 'EACCES', 'EROFS', 'EPERM'].includes(code)) return undefined;
    throw error;
  }
}

async function tryLock(file: FileHandle): Promise<boolean> {
  const { default: locks } = await import('fs-native-extensions');
  return locks.tryLock(file.fd);
}
