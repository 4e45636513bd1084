// npm test: makes the project ready, gets the components, runs vitest. Arguments go to vitest, but those of the soak
// suites.
import fs from 'node:fs';
import { ensureComponents } from './lib/components.js';
import { isCi } from './lib/environment.js';
import { inRoot } from './lib/paths.js';
import { nodeProblem, prepare } from './lib/prepare.js';
import { runAttached } from './lib/run.js';

/** Seconds of `npm run test:long`, all soak suites together. */
const longSeconds = 1_800;

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

/**
 * @param {string[]} args
 */
function runVitest(args) {
  const { rest, env } = readSoakOptions(args);
  const vitest = inRoot('node_modules', 'vitest', 'vitest.mjs');
  return runAttached(process.execPath, [vitest, 'run', ...rest], {
    cwd: inRoot(),
    env: { ...process.env, ...env },
  });
}

/**
 * `--seconds N` and `--seed N` for the suites that go on until their time is up; `--long` runs those alone, half an
 * hour together.
 *
 * @param {string[]} args
 */
function readSoakOptions(args) {
  /** @type {Record<string, string>} */
  const env = {};
  const rest = [];
  for (let index = 0; index < args.length; index += 1) {
    const arg = args[index];
    if (arg === '--seconds') env['SOAK_SECONDS'] = args[++index] ?? '';
    else if (arg === '--seed') env['SOAK_SEED'] = args[++index] ?? '';
    else if (arg === '--long') {
      const suites = soakSuites();
      env['SOAK_SECONDS'] ??= String(Math.floor(longSeconds / suites.length));
      rest.push(...suites);
    } else rest.push(arg);
  }
  return { rest, env };
}

/** @returns {string[]} */
function soakSuites() {
  return JSON.parse(fs.readFileSync(inRoot('scripts', 'lib', 'soak-suites.json'), 'utf8'));
}
