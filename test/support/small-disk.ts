import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { CliOptions } from './cli.ts';
import { spawnProcess } from './processes.ts';
import { inRoot } from './root.ts';
import { tempDir } from './temp.ts';

/** A disk with little room. */
export interface SmallDisk {
  /** Absolute path, as programs see it that are started with `options`. */
  readonly folder: string;
  /** The same folder for us. */
  readonly seen: string;
  options(): CliOptions;
  /** From now on there is room. */
  grow(): Promise<void>;
}

/**
 * A file system in memory that only those see who are started with `options`, where the system lets us mount one; else
 * a folder, and programs whose files stop growing.
 */
export async function createSmallDisk(bytes: number): Promise<SmallDisk> {
  return (await mountSmallDisk(bytes)) ?? pretendSmallDisk(bytes);
}

async function mountSmallDisk(bytes: number): Promise<SmallDisk | undefined> {
  const folder = tempDir();
  const user = process.getuid?.() === 0 ? [] : ['-U', '-r'];
  const mount = `mount -t tmpfs -o size=${bytes} none "$0" && echo mounted && exec sleep 1000000`;
  const holder = await spawnProcess('unshare', [...user, '-m', 'sh', '-c', mount, folder], {
    env: process.env,
  });
  const isMounted = await Promise.race([
    holder.stdout.waitFor(/mounted/).then(
      () => true,
      () => false,
    ),
    holder.exited.then(() => false),
  ]);
  if (!isMounted) return undefined;
  const enter = ['nsenter', '-t', `${holder.pid}`, ...user.slice(0, 1), '-m', '--'];
  return {
    folder,
    seen: path.join(`/proc/${holder.pid}/root`, folder),
    options: () => ({ via: enter }),
    grow: async () => {
      const [command = '', ...args] = [...enter, 'mount', '-o', 'remount,size=64m', folder];
      const remount = await spawnProcess(command, args, { env: process.env });
      await remount.exited;
    },
  };
}

export function pretendSmallDisk(bytes: number): SmallDisk {
  const folder = path.join(tempDir(), 'disk');
  mkdirSync(folder);
  const fault = inRoot('test', 'support', 'full-disk.mjs');
  let isFull = true;
  const env = { NODE_OPTIONS: `--import=${fault}`, FULL_AFTER_BYTES: `${bytes}` };
  return {
    folder,
    seen: folder,
    options: () => (isFull ? { env } : {}),
    grow: async () => {
      isFull = false;
    },
  };
}
