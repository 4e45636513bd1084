import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Absolute path of the project. */
export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Everything the scripts fetch or make for themselves; git ignores it and anyone may delete it. */
export const cacheDir = path.join(root, '.cache');

/** @param {string[]} parts */
export function inRoot(...parts) {
  return path.join(root, ...parts);
}
