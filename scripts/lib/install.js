import fs from 'node:fs';
import { inRoot } from './paths.js';
import { runAttached } from './run.js';

/**
 * Why the installed packages are not those of package-lock.json; undefined when they are. npm writes what it
 * installed into node_modules/.package-lock.json as its last step, so an interrupted install counts as none.
 *
 * @returns {string | undefined}
 */
export function staleInstall() {
  const installed = packagesOf(inRoot('node_modules', '.package-lock.json'));
  if (!installed) return 'nothing is installed';
  const wanted = packagesOf(inRoot('package-lock.json')) ?? {};
  const changed = Object.keys(wanted).find((name) => name !== '' && differs(wanted[name], installed[name]));
  if (changed) return `${changed} is not what package-lock.json says`;
  const extra = Object.keys(installed).find((name) => !wanted[name]);
  return extra && `${extra} is not in package-lock.json`;
}

/** @returns {Promise<number>} npm's exit code */
export function install() {
  return runAttached('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: inRoot(),
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
}

/**
 * @param {{ version?: string, integrity?: string, optional?: boolean, devOptional?: boolean }} wanted
 * @param {{ version?: string, integrity?: string } | undefined} installed
 */
function differs(wanted, installed) {
  if (!installed) return !(wanted.optional || wanted.devOptional);
  return wanted.version !== installed.version || wanted.integrity !== installed.integrity;
}

/**
 * @param {string} file
 * @returns {Record<string, { version?: string, integrity?: string, optional?: boolean, devOptional?: boolean }> | undefined}
 */
function packagesOf(file) {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8')).packages;
  } catch {
    return undefined;
  }
}
