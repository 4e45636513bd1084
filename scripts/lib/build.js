import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { inRoot } from './paths.js';
import { runAttached } from './run.js';

const stampFile = inRoot('dist', '.built-from');
const inputs = [
  'src',
  'bin',
  'scripts/build.js',
  'scripts/precompile.js',
  'scripts/undici-client.js',
  'scripts/lib/tiny-registry.js',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
];

/** Whether dist was built from other sources than those that are there. */
export function staleBuild() {
  return readStamp() !== sourcesHash();
}

/**
 * Builds and, only when that worked, notes what from; a change during the build makes the note wrong, so it builds
 * again next time.
 *
 * @returns {Promise<number>} exit code of the build
 */
export async function build() {
  const from = sourcesHash();
  fs.rmSync(stampFile, { force: true });
  const code = await runAttached(process.execPath, [inRoot('scripts', 'build.js')], {
    cwd: inRoot(),
    stdio: ['ignore', 2, 2],
  });
  if (code === 0) fs.writeFileSync(stampFile, from);
  return code;
}

function readStamp() {
  try {
    return fs.readFileSync(stampFile, 'utf8');
  } catch {
    return undefined;
  }
}

/** One hash over the names and contents of everything the build reads. */
function sourcesHash() {
  const hash = createHash('sha256');
  for (const file of inputs.flatMap((input) => filesUnder(inRoot(input)))) {
    const bytes = fs.readFileSync(file);
    hash.update(`\n${path.relative(inRoot(), file)} ${bytes.length}\n`).update(bytes);
  }
  return hash.digest('hex');
}

/**
 * @param {string} entry
 * @returns {string[]} sorted
 */
function filesUnder(entry) {
  const stat = fs.statSync(entry, { throwIfNoEntry: false });
  if (!stat) return [];
  if (!stat.isDirectory()) return [entry];
  return fs
    .readdirSync(entry)
    .sort()
    .flatMap((name) => filesUnder(path.join(entry, name)));
}
