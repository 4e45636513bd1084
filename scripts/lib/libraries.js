import fs from 'node:fs';
import path from 'node:path';
import { capture } from './run.js';

/**
 * The shared libraries that the loader does not find for a program.
 *
 * @param {string} program
 * @param {Record<string, string>} env
 * @returns {Promise<string[]>}
 */
export async function missingLibraries(program, env) {
  const { stdout } = await capture('ldd', [program], { env: { ...process.env, ...env } });
  return [...stdout.matchAll(/^\s*(\S+) => not found/gm)].map((match) => match[1] ?? '');
}

/** @param {string} program */
export async function isStatic(program) {
  const { stdout, stderr } = await capture('ldd', [program], { env: { ...process.env, LC_ALL: 'C' } });
  return /not a dynamic executable|statically linked/.test(stdout + stderr);
}

/**
 * The environment with which a program finds the libraries unpacked under `dir`.
 *
 * @param {string} dir
 * @returns {Record<string, string>}
 */
export function libraryEnv(dir) {
  const files = fs.readdirSync(dir, { recursive: true, encoding: 'utf8' });
  const folders = files.filter((file) => /\.so(\.\d+)*$/.test(file)).map((file) => path.dirname(file));
  if (folders.length === 0) return {};
  return { LD_LIBRARY_PATH: [...new Set(folders)].map((folder) => path.join(dir, folder)).join(':') };
}
