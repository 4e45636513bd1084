import path from 'node:path';
import { build, staleBuild } from './build.js';
import { install, staleInstall } from './install.js';
import { withLock } from './lock.js';
import { cacheDir } from './paths.js';

const wantedNode = [20, 19];

/** Why this Node cannot run the project, in one line; undefined when it can. */
export function nodeProblem() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [wantedMajor, wantedMinor] = wantedNode;
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return undefined;
  return `layerpull needs Node ${wantedNode.join('.')} or newer, this is ${process.versions.node}`;
}

/**
 * Installs and builds what is missing or stale; says and does nothing when nothing is.
 *
 * @returns {Promise<number>} exit code
 */
export async function prepare() {
  if (!staleInstall() && !staleBuild()) return 0;
  return withLock(path.join(cacheDir, 'setup.lock'), async () => {
    const why = staleInstall();
    if (why) say(`installing dependencies (${why})`);
    const installed = why ? await install() : 0;
    if (installed !== 0 || !staleBuild()) return installed;
    say('building');
    return build();
  });
}

/** @param {string} text */
function say(text) {
  process.stderr.write(`setup: ${text}\n`);
}
