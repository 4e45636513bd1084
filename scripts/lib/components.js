import fs from 'node:fs';
import path from 'node:path';
import { createUnpacker, findOnPath, isExecutable } from './component-install.js';
import { componentTable } from './component-table.js';
import { withLock } from './lock.js';
import { cacheDir } from './paths.js';

/** @typedef {import('./component-table.js').Component} Component */
/** @typedef {import('./component-table.js').Found} Found */
/** @typedef {import('./component-table.js').Missing} Missing */
/** @typedef {Record<string, Found | Missing>} Listing */

/** What there is, for the tests: name -> where it is, or why it is missing. */
const listFile = path.join(cacheDir, 'components.json');

/**
 * Gets every component of the table that is not there yet, notes the outcome for the tests and names what is missing,
 * one line each.
 *
 * @returns {Promise<string[]>} names of the missing ones
 */
export async function ensureComponents() {
  const known = readList();
  if (componentTable.every(({ name }) => isUsable(known[name]))) return [];
  const listing = await withLock(path.join(cacheDir, 'components.lock'), getMissing);
  const missing = Object.entries(listing).flatMap(([name, entry]) =>
    'missing' in entry ? [{ name, entry }] : [],
  );
  for (const { name, entry } of missing)
    process.stderr.write(`components: ${name} is MISSING: ${entry.missing}\n`);
  return missing.map(({ name }) => name);
}

/** @returns {Promise<Listing>} */
async function getMissing() {
  const known = readList();
  /** @type {Promise<(component: Component) => Promise<Found>> | undefined} */
  let unpacker;
  const unpack = async (/** @type {Component} */ component) => {
    unpacker ??= createUnpacker();
    const get = await unpacker;
    process.stderr.write(`components: getting ${component.name}\n`);
    return get(component);
  };
  /** @type {Listing} */
  const listing = {};
  for (const component of componentTable) {
    const before = known[component.name];
    listing[component.name] = isUsable(before) ? before : await find(component, unpack);
  }
  writeList(listing);
  return listing;
}

/**
 * @param {Component} component
 * @param {(component: Component) => Promise<Found>} unpack
 * @returns {Promise<Found | Missing>}
 */
async function find(component, unpack) {
  try {
    return (await findOnPath(component)) ?? (await unpack(component));
  } catch (error) {
    return { missing: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * @param {Found | Missing | undefined} entry
 * @returns {entry is Found}
 */
function isUsable(entry) {
  return entry !== undefined && 'path' in entry && isExecutable(entry.path);
}

/** @returns {Listing} */
function readList() {
  try {
    return JSON.parse(fs.readFileSync(listFile, 'utf8'));
  } catch {
    return {};
  }
}

/** @param {Listing} listing */
function writeList(listing) {
  const fresh = `${listFile}.${process.pid}`;
  fs.writeFileSync(fresh, `${JSON.stringify(listing, undefined, 2)}\n`);
  fs.renameSync(fresh, listFile);
}
