import fs from 'node:fs';
import path from 'node:path';
import { createApt, hasApt } from './apt.js';
import { isStatic, libraryEnv, missingLibraries } from './libraries.js';
import { cacheDir } from './paths.js';

/** @typedef {import('./component-table.js').Component} Component */
/** @typedef {import('./component-table.js').Found} Found */

const unpackedDir = path.join(cacheDir, 'components');
const binaryFolders = ['usr/bin', 'usr/sbin', 'bin', 'sbin'];

/**
 * The component as PATH has it.
 *
 * @param {Component} component
 * @returns {Promise<Found | undefined>}
 */
export async function findOnPath(component) {
  for (const folder of (process.env.PATH ?? '').split(path.delimiter).filter(path.isAbsolute)) {
    const file = path.join(folder, component.program);
    if (!isExecutable(file)) continue;
    if (component.isStatic && !(await isStatic(file))) continue;
    return { path: file, env: {}, from: 'path' };
  }
  return undefined;
}

/**
 * A function that unpacks components from Debian's packages into our cache; the lists are read once.
 * It throws an error that says why one cannot be had.
 *
 * @returns {Promise<(component: Component) => Promise<Found>>}
 */
export async function createUnpacker() {
  if (!(await hasApt())) throw new Error('it is not on PATH, and this machine has no apt-get to get it with');
  const apt = createApt(path.join(cacheDir, 'apt'));
  await apt.update();
  return async (component) => {
    const target = path.join(unpackedDir, component.name);
    const fresh = `${target}.new`;
    fs.rmSync(fresh, { recursive: true, force: true });
    fs.mkdirSync(fresh, { recursive: true });
    await apt.unpack([component.package, ...(component.also ?? [])], fresh);
    await addLibraries(component, fresh, apt);
    fs.rmSync(target, { recursive: true, force: true });
    fs.renameSync(fresh, target);
    return { path: programIn(component, target), env: libraryEnv(target), from: 'package' };
  };
}

/** @param {string} file */
export function isExecutable(file) {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

/**
 * @param {Component} component
 * @param {string} dir
 * @param {ReturnType<typeof createApt>} apt
 */
async function addLibraries(component, dir, apt) {
  const program = programIn(component, dir);
  if ((await missingLibraries(program, {})).length === 0) return;
  const packages = (await apt.lackedBy(component.package)).filter((name) => name.startsWith('lib'));
  if (packages.length > 0) await apt.unpack(packages, dir);
  const missing = await missingLibraries(program, libraryEnv(dir));
  if (missing.length > 0) throw new Error(`no package brings ${missing.join(', ')}`);
}

/**
 * @param {Component} component
 * @param {string} dir
 */
function programIn(component, dir) {
  const file = binaryFolders.map((folder) => path.join(dir, folder, component.program)).find(isExecutable);
  if (!file) throw new Error(`package ${component.package} has no program ${component.program}`);
  return file;
}
