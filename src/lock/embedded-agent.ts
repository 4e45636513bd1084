import { readFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { type CoordinatorRecord, parseRecord, thisHost } from './coordinator-file.ts';
import { shortSocketPath } from './socket-path.ts';

/**
 * Whether an agent coordinates the store: what its processes want of a lock server goes through it. Cheap where there is
 * none, and never waits for one that hangs.
 */
export async function hasAgent(store: string): Promise<boolean> {
  const record = await readRecord(store);
  // Whoever coordinates next writes its own record: this one may be of an agent that is gone.
  if (!record?.agent || record.kernel !== thisHost().kernel) return false;
  return await isListening(store);
}

async function readRecord(store: string): Promise<CoordinatorRecord | undefined> {
  try {
    return parseRecord(await readFile(path.join(store, 'coordinator.lock'), 'utf8'));
  } catch {
    return undefined;
  }
}

async function isListening(store: string): Promise<boolean> {
  const socket = await shortSocketPath(store);
  try {
    return await new Promise((resolve) => {
      const connection = net.connect(socket.path);
      connection.once('connect', () => resolve(true));
      connection.once('error', () => resolve(false));
      connection.once('close', () => resolve(false));
      connection.once('connect', () => connection.destroy());
    });
  } finally {
    await socket.dispose();
  }
}
