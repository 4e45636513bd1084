import { stat } from 'node:fs/promises';
import type { StatusConfig } from '../config.ts';
import type { Log } from '../core/log.ts';
import { findCoordinator } from '../lock/find-coordinator.ts';
import type { Locks } from '../lock/locks.ts';
import { connectEmbedded } from './locks.ts';
import { serverLocks } from './trust.ts';

export type { ResourceView } from '../lock/locks.ts';
export type { NodeView } from '../lock/nodes.ts';

/** Somebody looks at the screen, and can ask again. */
const answerWithinMs = 5_000;
/** A process of this machine answers at once, or is stopped. */
const storeAnswersWithinMs = 3_000;

/**
 * Wires the way to whoever coordinates; `locks` is undefined when nobody does.
 *
 * @throws LayerpullError `lock_unreachable` where the coordinator of the store does not answer
 */
export async function composeStatus(
  config: StatusConfig,
  log: Log,
): Promise<{ readonly locks: Locks | undefined; close(): Promise<void> }> {
  if (config.servers.length > 0) {
    const locks = serverLocks(config, log, { requestMs: answerWithinMs, retries: 0 });
    return { locks, close: () => locks.close() };
  }
  const found = await findCoordinatorOf(config);
  return { locks: found?.locks, close: async () => await found?.close() };
}

async function findCoordinatorOf(config: StatusConfig) {
  const isThere = await stat(config.store).then(
    () => true,
    () => false,
  );
  if (!isThere) return undefined;
  const connect = (socketPath: string, signal: AbortSignal) =>
    connectEmbedded(socketPath, config.version, signal, { requestMs: storeAnswersWithinMs });
  return await findCoordinator({ store: config.store, connect }, new AbortController().signal);
}
