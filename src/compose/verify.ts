import { realpath } from 'node:fs/promises';
import type { VerifyConfig } from '../config/verify.ts';
import { systemClock } from '../core/clock.ts';
import { LayerpullError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { openLockSession } from '../lock/session.ts';
import { findImages } from '../orchestrator/image-query.ts';
import { type RepairResult, repairStore } from '../orchestrator/repair.ts';
import { type CheckRequest, checkStore } from '../orchestrator/verify.ts';
import { createChecker } from '../store/checker.ts';
import { openLayout } from '../store/layout.ts';
import { readStore, type StoreReader } from '../store/reader.ts';
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
  const { log, signal, onProgress } = deps;
  const reader = await readStore(config.store, log);
  if (!reader) throw noStore(config);
  const names = text === undefined ? {} : { names: await namesOf(text, reader) };
  const request = { ...names, onProgress };
  if (config.repair) return await repair(request, config, deps);
  return { ...(await checkStore(createChecker({ root: reader.path }), request, signal)), repaired: [] };
}

async function namesOf(text: string, reader: StoreReader): Promise<ReadonlySet<string>> {
  const known = await reader.images();
  const { images } = await findImages(toImageQuery(text), known, async () => ({ all: [] }));
  return new Set(images.map(({ name }) => name));
}

async function repair(
  request: CheckRequest,
  config: VerifyConfig,
  { log, signal }: VerifyDeps,
): Promise<RepairResult> {
  const layout = await openLayout(await realpath(config.store));
  const closers = new Closers();
  const service = closers.add(coordination(config, layout.root, log));
  const session = { locks: service, nodeId: config.node, storeId: layout.storeId, clock, log };
  const locks = closers.add(openLockSession({ ...session, onLockFailure: 'fail' }));
  try {
    const parts = { checker: createChecker(layout), repair: createRepair(layout, log), locks };
    return await repairStore(request, parts, signal);
  } finally {
    await closers.close();
  }
}

function noStore({ store }: VerifyConfig): LayerpullError {
  return new LayerpullError('store_unusable', `there is no store in ${store}`, {
    hint: 'give the folder of the store with --store',
  });
}
