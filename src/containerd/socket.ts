import { chmod, type FileHandle, lstat, mkdir, mkdtemp, open, rename, rm } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { LayerpullError, messageOf, systemCodeOf } from '../core/errors.ts';

/** The kernel keeps a Unix socket's path in 108 bytes with the one that ends it, and Node cuts longer ones in silence. */
const maxPathBytes = 107;

/** A name for a socket, taken until it is given back. */
export interface SocketPlace {
  /** Where to listen first: in a folder that nobody else may enter. */
  readonly draft: string;
  /** Gives the listening socket its name, in place of one that a dead process left. Only this user may connect. */
  publish(): Promise<void>;
  /** Removes the socket. Idempotent. */
  close(): Promise<void>;
}

/**
 * Takes the name of a socket. Only the owner of the lock beside it, which the kernel frees with its process, touches the
 * file, and never one on which somebody listens.
 *
 * @throws LayerpullError `address_in_use`, `usage`
 */
export async function takeSocket(file: string): Promise<SocketPlace> {
  const folder = path.dirname(file);
  try {
    await mkdir(folder, { recursive: true, mode: 0o755 });
    const lock = await takeLock(file);
    try {
      await refuseInUse(file);
      return await placeAt(file, lock);
    } catch (error) {
      await lock.close();
      throw error;
    }
  } catch (error) {
    if (error instanceof LayerpullError) throw error;
    throw new LayerpullError('usage', `cannot listen on ${file}: ${messageOf(error)}`, { cause: error });
  }
}

async function placeAt(file: string, lock: FileHandle): Promise<SocketPlace> {
  const folder = await mkdtemp(`${path.dirname(file)}/.`);
  const draft = path.join(folder, 's');
  let closing: Promise<void> | undefined;
  const close = async () => {
    await rm(folder, { recursive: true, force: true });
    await rm(file, { force: true });
    // The file of the lock stays: somebody may wait for it.
    await lock.close();
  };
  if (Math.max(Buffer.byteLength(draft), Buffer.byteLength(file)) > maxPathBytes) {
    await rm(folder, { recursive: true, force: true });
    throw new LayerpullError('usage', `the path of the socket ${file} is too long`, {
      hint: 'the kernel takes about a hundred characters; choose a shorter one',
    });
  }
  return {
    draft,
    async publish() {
      await chmod(draft, 0o600);
      await rename(draft, file);
      await rm(folder, { recursive: true, force: true });
    },
    close() {
      closing ??= close();
      return closing;
    },
  };
}

async function takeLock(file: string): Promise<FileHandle> {
  const handle = await open(`${file}.lock`, 'a', 0o600);
  const { default: locks } = await import('fs-native-extensions');
  if (locks.tryLock(handle.fd)) return handle;
  await handle.close();
  throw inUse(file);
}

async function refuseInUse(file: string): Promise<void> {
  const stats = await lstat(file).catch(ignoreMissing);
  if (!stats) return;
  if (!stats.isSocket()) throw new LayerpullError('usage', `${file} is there, and no socket`);
  if (await isListening(file)) throw inUse(file);
}

function isListening(file: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = net.connect(file);
    connection.once('connect', () => {
      connection.destroy();
      resolve(true);
    });
    // Also one that cannot be entered belongs to somebody.
    connection.once('error', (error) => resolve(systemCodeOf(error) !== 'ECONNREFUSED'));
  });
}

function inUse(file: string): LayerpullError {
  return new LayerpullError('address_in_use', `another process listens on ${file}`, {
    hint: 'stop it, or choose another socket',
  });
}

function ignoreMissing(error: unknown): undefined {
  if (systemCodeOf(error) !== 'ENOENT') throw error;
  return undefined;
}
