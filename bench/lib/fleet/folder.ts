import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { onCleanup } from '../../../test/support/cleanup.ts';
import { isAlive, ownIdentity } from '../../../test/support/netns.ts';
import { useMemoryFor } from '../scratch.ts';

const prefix = 'layerpull-fleet-';

/**
 * One folder for all temporary files of this run, in memory where there is room for `bytes`. Its name says whose it is,
 * so that the next run removes what a killed one left. Answers where it is.
 */
export function useOwnFolder(bytes: number): string {
  const parent = useMemoryFor(bytes);
  for (const name of readdirSync(parent).filter((each) => each.startsWith(prefix))) {
    if (!isAlive(name.slice(prefix.length))) remove(path.join(parent, name));
  }
  const folder = path.join(parent, `${prefix}${ownIdentity()}`);
  mkdirSync(folder);
  onCleanup(() => remove(folder));
  process.env['TMPDIR'] = folder;
  return folder;
}

function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
