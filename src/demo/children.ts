import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { Clock } from '../core/clock.ts';
import { messageOf } from '../core/errors.ts';

/** How a process ended: with an exit code, by a signal, or never having started. */
export type ChildEnd =
  | { readonly kind: 'exit'; readonly code: number }
  | { readonly kind: 'signal'; readonly signal: string }
  | { readonly kind: 'never-started'; readonly message: string };

/** A process of the demo. */
export interface Child {
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Settles once the process is gone and its output has been read; never rejects. */
  readonly ended: Promise<ChildEnd>;
  kill(signal: 'SIGTERM' | 'SIGKILL'): void;
}

/** Starts layerpull with these arguments. */
export type SpawnChild = (args: readonly string[]) => Child;

export interface SpawnerOptions {
  /** Path of layerpull's `bin/run.js`. */
  readonly program: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** A spawner for children that end, and remove `folder`, when this process dies without having stopped them. */
export function createSpawner({ program, env }: SpawnerOptions, folder: string): SpawnChild {
  const options = { env: childEnvironment(env), stdio: ['pipe', 'pipe', 'pipe'] as ['pipe', 'pipe', 'pipe'] };
  return (args) => {
    const child = spawn(process.execPath, ['--import', tether(folder), program, ...args], options);
    child.stdin.on('error', () => {});
    const ended = new Promise<ChildEnd>((resolve) => {
      child.once('error', (error) => resolve({ kind: 'never-started', message: messageOf(error) }));
      child.once('close', (code, signal) =>
        resolve(signal ? { kind: 'signal', signal } : { kind: 'exit', code: code ?? 1 }),
      );
    });
    return { stdout: child.stdout, stderr: child.stderr, ended, kill: (signal) => void child.kill(signal) };
  };
}

/** Without what the user has set for layerpull: the demo decides all of it itself. */
export function childEnvironment(env: SpawnerOptions['env']): Record<string, string> {
  const olderNames = [
    'LOCK_SERVER_URL',
    'NODE_ID',
    'ALLOW_MULTI_NODE_DOWNLOAD',
    'CONTAINERS_REGISTRIES_CONF',
  ];
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && !name.startsWith('LAYERPULL_') && !olderNames.includes(name))
      kept[name] = value;
  }
  return kept;
}

/** Ends all that still run: politely, then after `graceMs` by force. */
export async function stopChildren(children: readonly Child[], clock: Clock, graceMs: number): Promise<void> {
  const gone = Promise.all(children.map((child) => child.ended));
  const done = new AbortController();
  for (const child of children) child.kill('SIGTERM');
  const forced = clock.sleep(graceMs, done.signal).then(
    () => {
      for (const child of children) child.kill('SIGKILL');
    },
    () => {},
  );
  await gone;
  done.abort();
  await forced;
}

/**
 * A module that every child runs first. Its stdin is a pipe that only the parent holds, so its end means that the
 * parent is gone, by SIGKILL too. The last child to end removes the folder for good.
 */
export function tether(folder: string): string {
  const code = `
    import { rmSync } from 'node:fs';
    const orphaned = () => {
      process.on('exit', () => {
        try {
          rmSync(${JSON.stringify(folder)}, { recursive: true, force: true });
        } catch {}
      });
      if (process.listenerCount('SIGTERM') > 0) process.kill(process.pid, 'SIGTERM');
      else process.exit(143);
    };
    process.stdin.once('end', orphaned).once('error', orphaned).resume().unref();
  `;
  return `data:text/javascript,${encodeURIComponent(code)}`;
}
