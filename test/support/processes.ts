import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { onCleanup } from './cleanup.ts';
import { patienceMs } from './patience.ts';
import { createTextLog, type TextLog } from './text-log.ts';

export interface Exit {
  /** null: ended by a signal. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Child {
  readonly pid: number;
  readonly stdin: Writable;
  readonly stdout: TextLog;
  readonly stderr: TextLog;
  /** Once it ended and all it wrote is read. Never rejects. */
  readonly exited: Promise<Exit>;
  readonly isRunning: () => boolean;
  kill(signal?: NodeJS.Signals): void;
  /** SIGTERM, and SIGKILL when it has not ended after a minute. */
  stop(): Promise<Exit>;
}

export interface SpawnOptions {
  /** The whole environment of the child. */
  readonly env: NodeJS.ProcessEnv;
  readonly cwd?: string | undefined;
  /** Kills the child. */
  readonly signal?: AbortSignal | undefined;
  /** What to keep of its output, in characters; the beginning is dropped first. Default 16 Mi. */
  readonly maxLogChars?: number;
}

/** Starts a program; it is killed at the end of the test if it still runs. */
export async function spawnProcess(
  command: string,
  args: readonly string[],
  options: SpawnOptions,
): Promise<Child> {
  const { env, cwd, signal } = options;
  const handle = spawn(command, args, {
    env,
    cwd,
    signal,
    killSignal: 'SIGKILL',
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  // An aborted signal is reported as an error too; `exited` tells it.
  await new Promise<void>((resolve, reject) => {
    handle.once('spawn', resolve).on('error', reject);
  });
  // The child may end without reading its input.
  handle.stdin.on('error', () => {});
  const child = toChild(handle, options.maxLogChars);
  onCleanup(async () => {
    child.kill('SIGKILL');
    await child.exited;
  });
  return child;
}

type Handle = ChildProcessByStdio<Writable, Readable, Readable>;

function toChild(handle: Handle, maxLogChars?: number): Child {
  let running = true;
  handle.once('exit', () => {
    running = false;
  });
  const exited = new Promise<Exit>((resolve) => {
    handle.once('close', (code, signal) => resolve({ code, signal }));
  });
  const child: Child = {
    pid: handle.pid ?? -1,
    stdin: handle.stdin,
    stdout: createTextLog(handle.stdout, maxLogChars),
    stderr: createTextLog(handle.stderr, maxLogChars),
    exited,
    isRunning: () => running,
    kill: (signal = 'SIGTERM') => void (running && handle.kill(signal)),
    stop: () => stop(child),
  };
  return child;
}

async function stop(child: Child): Promise<Exit> {
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs);
  const exit = await child.exited;
  clearTimeout(timer);
  return exit;
}
