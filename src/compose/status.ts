import { stat } from 'node:fs/promises';
import type { StatusConfig } from '../config.ts';
import type { Log } from '../core/log.ts';
import { findCoordinator } from '../lock/embedded-election.ts';
import type { Locks } from '../lock/locks.ts';
import { connectEmbedded } from './locks.ts';
import { serverLocks } from './trust.ts';

export type { ResourceView } from '../lock/locks.ts';
export type { NodeView } from '../lock/nodes.ts';

/** Somebody looks at the screen, and can ask again. */
const answerWithinMs = 5_000;

/** Wires the way to whoever coordinates; `locks` is undefined when nobody does. */
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
    connectEmbedded(socketPath, config.version, signal);
  return await findCoordinator({ store: config.store, connect }, new AbortController().signal);
}
