import { type FileHandle, open } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { type AgentTrust, type CoordinatorRecord, parseRecord, thisHost } from './coordinator-file.ts';
import { shortSocketPath } from './socket-path.ts';

/**
 * Whether an agent coordinates the store: what its processes want of a lock server goes through it. Cheap where there is
 * none, and never waits for one that hangs.
 */
export async function hasAgent(store: string): Promise<boolean> {
  return (await agentOf(store)) !== undefined;
}

/** Where the agent of the store, if it has one, keeps what its fleet knows it by. */
export async function trustOfAgent(store: string): Promise<AgentTrust | undefined> {
  const found = await agentOf(store);
  // Nobody else has us send the secrets of a file that only we may read.
  return found && (found.owner === 0 || found.owner === process.getuid?.()) ? found.record.trust : undefined;
}

/** What the store says of whoever coordinates it, or did last. */
export async function coordinatorRecord(store: string): Promise<CoordinatorRecord | undefined> {
  return (await readRecord(store))?.record;
}

interface FoundRecord {
  readonly record: CoordinatorRecord;
  /** The user whose file it is. */
  readonly owner: number;
}

async function agentOf(store: string): Promise<FoundRecord | undefined> {
  const found = await readRecord(store);
  // Whoever coordinates next writes its own record: this one may be of an agent that is gone.
  if (!found?.record.agent || found.record.kernel !== thisHost().kernel) return undefined;
  return (await isListening(store)) ? found : undefined;
}

async function readRecord(store: string): Promise<FoundRecord | undefined> {
  let file: FileHandle | undefined;
  try {
    file = await open(path.join(store, 'coordinator.lock'));
    const record = parseRecord(await file.readFile('utf8'));
    return record && { record, owner: (await file.stat()).uid };
  } catch {
    return undefined;
  } finally {
    await file?.close();
  }
}

/** Whether a process has the socket of the store, which one that is stopped has, too. */
export async function isListening(store: string): Promise<boolean> {
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
