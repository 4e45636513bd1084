import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Absolute path of the project, found upwards, since a bench is bundled into another folder. */
export const root = findRoot(path.dirname(fileURLToPath(import.meta.url)));

export function inRoot(...parts: string[]): string {
  return path.join(root, ...parts);
}

function findRoot(folder: string): string {
  if (fs.existsSync(path.join(folder, 'package-lock.json'))) return folder;
  const parent = path.dirname(folder);
  if (parent === folder) throw new Error('no project folder above this file');
  return findRoot(parent);
}
