// npm test: makes the project ready, gets the components, runs vitest. Arguments go to vitest; --long adds the tests
// that take minutes.
import { ensureComponents } from './lib/components.js';
import { isCi } from './lib/environment.js';
import { inRoot } from './lib/paths.js';
import { nodeProblem, prepare } from './lib/prepare.js';
import { runAttached } from './lib/run.js';

process.exitCode = await main(process.argv.slice(2));

/** @param {string[]} args */
async function main(args) {
  const problem = nodeProblem();
  if (problem) process.stderr.write(`${problem}\n`);
  const ready = problem ? 1 : await prepare();
  if (ready !== 0) return ready;
  const missing = await ensureComponents();
  if (missing.length > 0 && isCi()) return 1;
  return runVitest(args);
}

/** @param {string[]} args */
function runVitest(args) {
  const rest = args.filter((arg) => arg !== '--long');
  const env = rest.length < args.length ? { ...process.env, LONG_TESTS: '1' } : process.env;
  const vitest = inRoot('node_modules', 'vitest', 'vitest.mjs');
  return runAttached(process.execPath, [vitest, 'run', ...rest], { cwd: inRoot(), env });
}
