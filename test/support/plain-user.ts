import { chmodSync, chownSync } from 'node:fs';

const isRoot = process.getuid?.() === 0;
/** Belongs to nobody here. */
const otherUser = 47_110;

/**
 * For `via`: starts a program that may read and write only what the permissions of its user allow, as all programs of
 * other users than root.
 */
export const asPlainUser: readonly string[] = isRoot
  ? ['setpriv', '--bounding-set=-dac_override,-dac_read_search,-fowner,-chown', '--']
  : [];

/** Takes the access to a file or folder away from who runs `asPlainUser`. */
export function takeAway(file: string): void {
  if (isRoot) chownSync(file, otherUser, otherUser);
  chmodSync(file, isRoot ? 0o700 : 0o000);
}

/** Leaves who runs `asPlainUser` the right to read a folder, and takes that to write into it. */
export function makeReadOnly(folder: string): void {
  if (isRoot) chownSync(folder, otherUser, otherUser);
  chmodSync(folder, 0o555);
}

/** Gives back all rights, so that it can be removed. */
export function giveBack(file: string): void {
  if (isRoot) chownSync(file, 0, 0);
  chmodSync(file, 0o755);
}
