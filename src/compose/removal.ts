import type { PruneConfig, RemovalConfig, RmConfig } from '../config/removal.ts';
import { systemClock } from '../core/clock.ts';
import { LayerpullError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { openLockSession } from '../lock/session.ts';
import type { ImageQuery } from '../orchestrator/image-query.ts';
import { type PruneResult, previewPrune, prune } from '../orchestrator/prune.ts';
import { type RemovalParts, type RemoveResult, removeImages } from '../orchestrator/remove.ts';
import { requireWritable } from '../store/files.ts';
import { openStore } from '../store/oci-layout.ts';
import { peekStore } from '../store/peek.ts';
import { Closers } from './closers.ts';
import { toImageQuery } from './image-query.ts';
import { coordination } from './locks.ts';

export type { PruneResult } from '../orchestrator/prune.ts';
export type { RemoveResult } from '../orchestrator/remove.ts';

const clock = systemClock;

export interface RemovalDeps {
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Removes images from the store. @throws LayerpullError */
export async function runRemove(
  texts: readonly string[],
  config: RmConfig,
  deps: RemovalDeps,
): Promise<RemoveResult> {
  const queries = texts.map(toImageQuery);
  const { platform, force } = config;
  const request = { queries, force, ...(platform ? { platform } : {}) };
  if (!(await peekStore(config.store))) throw noStore(config, queries);
  return await withParts(config, deps, (parts) => removeImages(request, parts, deps.signal));
}

/** Removes what nobody needs, or says what that would be. @throws LayerpullError */
export async function runPrune(config: PruneConfig, deps: RemovalDeps): Promise<PruneResult> {
  const { store, dryRun } = config;
  if (!(await peekStore(store))) return { store, dryRun, blobs: [], leftovers: [], bytesFreed: 0 };
  if (dryRun) return await previewPrune({ store: await open(config, deps) });
  return await withParts(config, deps, (parts) => prune(parts, deps.signal));
}

async function withParts<T>(
  config: RemovalConfig,
  deps: RemovalDeps,
  work: (parts: RemovalParts) => Promise<T>,
): Promise<T> {
  const { log } = deps;
  const store = await open(config, deps);
  const { path, storeId } = store.blobs;
  await requireWritable(path);
  const closers = new Closers();
  const service = closers.add(await coordination(config, path, log));
  const named = { nodeId: config.node, storeId, serverName: service.serverName };
  const session = { ...named, locks: service.locks, clock, log };
  const locks = closers.add(openLockSession({ ...session, onLockFailure: 'fail' }));
  try {
    return await work({ store, locks });
  } finally {
    await closers.close();
  }
}

/** As it is: nothing changes before the lock service is reached. */
async function open({ store }: RemovalConfig, { log }: RemovalDeps) {
  return await openStore({ path: store, clock, log, tidy: false });
}

function noStore({ store }: RmConfig, [first]: readonly ImageQuery[]): LayerpullError {
  return new LayerpullError(
    'image_not_found',
    `there is no image ${first?.name ?? first?.text}, nor a store in ${store}`,
    { origin: 'store', hint: 'give the folder of the store with --store' },
  );
}
