import { LayerpullError } from '../core/errors.ts';
import { coordinatorRecord, isListening } from './embedded-agent.ts';
import type { ElectionOptions } from './embedded-election.ts';
import type { Locks } from './locks.ts';
import { shortSocketPath } from './socket-path.ts';

/**
 * Reaches the coordinator of a store if there is one, without ever becoming it. Undefined: nobody coordinates.
 *
 * @throws LayerpullError `lock_unreachable` where one listens and does not answer `connect`
 */
export async function findCoordinator(
  { store, connect }: Pick<ElectionOptions, 'store' | 'connect'>,
  signal: AbortSignal,
): Promise<{ locks: Locks; close(): Promise<void> } | undefined> {
  const socket = await shortSocketPath(store);
  const locks = await connect(socket.path, signal).catch(() => undefined);
  if (!locks) {
    await socket.dispose();
    signal.throwIfAborted();
    // One that ended just then listens no more; one that is stopped still does.
    if (await isListening(store)) throw await silent(store);
    return undefined;
  }
  const close = async () => {
    await locks.close();
    await socket.dispose();
  };
  return { locks, close };
}

async function silent(store: string): Promise<LayerpullError> {
  const record = await coordinatorRecord(store);
  const who = record?.agent ? 'the agent of the store' : 'the process that coordinates the store';
  const process = record ? ` (process ${record.pid})` : '';
  return new LayerpullError('lock_unreachable', `${who} ${store}${process} does not answer`, {
    hint: 'see whether it was stopped or is busy, and try again',
  });
}
