import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';

const inMemory = '/dev/shm';

/**
 * Puts temporary files into memory where the machine has room for `bytes` of them, so that no disk is measured. Answers
 * where they go.
 */
export function useMemoryFor(bytes: number): string {
  if (roomIn(inMemory) > bytes) process.env['TMPDIR'] = inMemory;
  return tmpdir();
}

function roomIn(folder: string): number {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  } catch {
    return 0;
  }
}
