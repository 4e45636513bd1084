import { lstat, realpath } from 'node:fs/promises';
import type { VerifyConfig } from '../config/verify.ts';
import { systemClock } from '../core/clock.ts';
import { LayerpullError, systemCodeOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { openLockSession } from '../lock/session.ts';
import { findImages } from '../orchestrator/image-query.ts';
import { type RepairResult, repairStore } from '../orchestrator/repair.ts';
import { type CheckRequest, checkStore, type Problem } from '../orchestrator/verify.ts';
import { createChecker } from '../store/checker.ts';
import { storing } from '../store/files.ts';
import { createGarbage } from '../store/garbage-files.ts';
import { readImages } from '../store/image-records.ts';
import { identityPath, markerPath, openLayout } from '../store/layout.ts';
import { createReferences } from '../store/reference-book.ts';
import { createRepair } from '../store/repair.ts';
import { Closers } from './closers.ts';
import { toImageQuery } from './image-query.ts';
import { coordination } from './locks.ts';

export type { RepairResult } from '../orchestrator/repair.ts';
export type { Problem } from '../orchestrator/verify.ts';

const clock = systemClock;

export interface VerifyDeps {
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly onProgress: (doneBytes: number, totalBytes: number) => void;
}

/** Checks the store, or the images that `text` names, and mends it if that is asked for. @throws LayerpullError */
export async function runVerify(
  text: string | undefined,
  config: VerifyConfig,
  deps: VerifyDeps,
): Promise<RepairResult> {
  const { signal, onProgress } = deps;
  const root = await findStore(config.store);
  if (root === undefined) throw noStore(config);
  const names = text === undefined ? {} : { names: await namesOf(text, root, deps) };
  const request = { ...names, onProgress };
  if (config.repair) return await repair(request, root, config, deps);
  return { ...(await checkStore(createChecker({ root }), request, signal)), repaired: [] };
}

/** One that lost a file of its layout is a store still. */
async function findStore(folder: string): Promise<string | undefined> {
  return await storing(`read the store ${folder}`, async () => {
    for (const file of [markerPath({ root: folder }), identityPath({ root: folder })]) {
      if (await isThere(file)) return await realpath(folder);
    }
    return undefined;
  });
}

async function isThere(file: string): Promise<boolean> {
  try {
    await lstat(file);
    return true;
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') throw error;
    return false;
  }
}

async function namesOf(text: string, root: string, { log }: VerifyDeps): Promise<ReadonlySet<string>> {
  const known = await storing('read the images', () => readImages({ root }, log));
  const { images } = await findImages(toImageQuery(text), known, async () => ({ all: [] }));
  return new Set(images.map(({ name }) => name));
}

async function repair(
  request: CheckRequest,
  root: string,
  config: VerifyConfig,
  { log, signal }: VerifyDeps,
): Promise<RepairResult> {
  const mended = await mendLayout(root, log);
  const layout = await storing(`use the store ${root}`, () => openLayout(root));
  const garbage = createGarbage({ layout, clock, references: createReferences({ layout, clock }) });
  const closers = new Closers();
  const service = closers.add(await coordination(config, layout.root, log));
  const named = { nodeId: config.node, storeId: layout.storeId, serverName: service.serverName };
  const session = { ...named, locks: service.locks, clock, log };
  const locks = closers.add(openLockSession({ ...session, onLockFailure: 'fail' }));
  try {
    const parts = {
      checker: createChecker(layout),
      repair: createRepair(layout, log, garbage.settle),
      locks,
    };
    const result = await repairStore(request, parts, signal);
    return { ...result, repaired: [...mended, ...result.repaired] };
  } finally {
    await closers.close();
  }
}

/** First of all: without these files the store has no name by which it could be locked. */
async function mendLayout(root: string, log: Log): Promise<readonly Problem[]> {
  const mended: Problem[] = [];
  for (const { file, reason } of await createChecker({ root }).layout()) {
    const isMended = await createRepair({ root }, log).rewriteLayout(file);
    if (isMended) mended.push({ kind: 'layout', file, reason });
  }
  return mended;
}

function noStore({ store }: VerifyConfig): LayerpullError {
  return new LayerpullError('store_unusable', `there is no store in ${store}`, {
    hint: 'give the folder of the store with --store',
  });
}
