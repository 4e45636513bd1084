import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const giveUpAfterMs = 15 * 60_000;
const breakerMaxAgeMs = 10_000;

/**
 * Runs `work` while no other process of this machine runs it under the same lock file. The file appears by a hard
 * link, so it is never there without the name of its owner; a file whose owner is dead is removed.
 *
 * @template T
 * @param {string} file
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withLock(file, work) {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  await take(file);
  const release = () => fs.rmSync(file, { force: true });
  process.once('exit', release);
  try {
    return await work();
  } finally {
    process.off('exit', release);
    release();
  }
}

/** @param {string} file */
async function take(file) {
  const deadline = Date.now() + giveUpAfterMs;
  while (!tryTake(file)) {
    removeIfOwnerIsDead(file);
    if (Date.now() > deadline)
      throw new Error(`waited 15 minutes for ${file}; remove it if nobody works there`);
    await delay(100);
  }
}

/** @param {string} file */
function tryTake(file) {
  const mine = `${file}.${process.pid}`;
  fs.writeFileSync(mine, identityOf(process.pid) ?? '');
  try {
    fs.linkSync(mine, file);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    fs.rmSync(mine, { force: true });
  }
}

/**
 * Two processes may find the same dead owner; only the one that makes the breaker folder removes the lock, after
 * looking again, so a lock taken meanwhile stays.
 *
 * @param {string} file
 */
function removeIfOwnerIsDead(file) {
  if (!ownerIsDead(file)) return;
  const breaker = `${file}.break`;
  try {
    fs.mkdirSync(breaker);
  } catch {
    removeIfOld(breaker);
    return;
  }
  if (ownerIsDead(file)) fs.rmSync(file, { force: true });
  fs.rmSync(breaker, { recursive: true, force: true });
}

/** @param {string} file */
function ownerIsDead(file) {
  const owner = readOrUndefined(file);
  if (owner === undefined) return false;
  return identityOf(Number.parseInt(owner, 10)) !== owner;
}

/** @param {string} folder */
function removeIfOld(folder) {
  const madeAt = fs.statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
  if (Date.now() - madeAt > breakerMaxAgeMs) fs.rmSync(folder, { recursive: true, force: true });
}

/**
 * The process id and, where the system tells it, when the process started: an id that was given to another process
 * is not the owner.
 *
 * @param {number} pid
 * @returns {string | undefined} undefined: no such process
 */
function identityOf(pid) {
  if (!isAlive(pid)) return undefined;
  const stat = readOrUndefined(`/proc/${pid}/stat`);
  if (stat === undefined) return String(pid);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? undefined : `${pid} ${fields[19]}`;
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/** @param {string} file */
function readOrUndefined(file) {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

/** @param {unknown} error */
function codeOf(error) {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
