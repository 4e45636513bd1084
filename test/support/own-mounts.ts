import { execFileSync, spawnSync } from 'node:child_process';
import path from 'node:path';
import { type CliResult, cliEnv, cliProgram } from './cli.ts';
import { type Child, spawnProcess } from './processes.ts';
import { tempDir } from './temp.ts';

/** Mounts that only the programs of one test see, and that end with it. */
export interface OwnMounts {
  /** A path of those programs, as this process finds it. */
  outside(file: string): string;
  /** Runs layerpull among the mounts. */
  run(...args: string[]): Promise<CliResult>;
  /** Runs a shell script among them. @throws when it fails */
  shell(script: string): void;
}

const isRoot = process.getuid?.() === 0;
/** A name space of one's own needs no rights where it comes with users of its own. */
const spaces = isRoot ? ['-m'] : ['-U', '-r', '-m'];
const enter = isRoot ? ['-m'] : ['-U', '--preserve-credentials', '-m'];

/** Why there are no mounts of one's own here; undefined where there are. */
export function whyNoMounts(): string | undefined {
  const script = 'mount -t tmpfs -o size=1m none "$0"';
  const { status, stderr, error } = spawnSync('unshare', [...spaces, 'sh', '-c', script, tempDir()], {
    encoding: 'utf8',
  });
  if (status === 0) return undefined;
  return `no mounts of one's own: ${error?.message ?? stderr.trim()}`;
}

/** Runs `script`, which mounts what the test needs, in a name space of its own; `$0` is `folder`. */
export async function ownMounts(folder: string, script: string): Promise<OwnMounts> {
  const shell = `set -e; ${script}; echo mounted; exec cat`;
  const keeper = await spawnProcess('unshare', [...spaces, 'sh', '-c', shell, folder], { env: process.env });
  await keeper.stdout.waitFor(/mounted/);
  const inside = ['-t', String(keeper.pid), ...enter, '--'];
  return {
    outside: (file) => path.join(`/proc/${keeper.pid}/root`, file),
    run: async (...args) => {
      const command = [...inside, process.execPath, cliProgram(), ...args];
      return await resultOf(await spawnProcess('nsenter', command, { env: cliEnv() }));
    },
    shell: (text) => void execFileSync('nsenter', [...inside, 'sh', '-e', '-c', text, folder]),
  };
}

const unprivileged = isRoot ? ['setpriv', '--bounding-set=-all', '--inh-caps=-all'] : [];

/** Why `runBound` would not do here; undefined where it does. */
export function whyUnbound(): string | undefined {
  const [command, ...rest] = unprivileged;
  if (command === undefined) return undefined;
  const { status, stderr, error } = spawnSync(command, [...rest, 'true'], { encoding: 'utf8' });
  return status === 0 ? undefined : `root keeps its privileges: ${error?.message ?? stderr.trim()}`;
}

/** Runs layerpull as a user whom permissions bind: root keeps its name and loses its privileges. */
export async function runBound(...args: string[]): Promise<CliResult> {
  const [command = '', ...rest] = [...unprivileged, process.execPath, cliProgram(), ...args];
  return await resultOf(await spawnProcess(command, rest, { env: cliEnv() }));
}

/** Runs layerpull with files of at most so many blocks, which have 512 bytes or 1 KiB, as the shell likes. */
export async function runWithFileLimit(blocks: number, ...args: string[]): Promise<CliResult> {
  const script = `ulimit -f ${blocks}; exec "$0" "$@"`;
  const command = ['-c', script, process.execPath, cliProgram(), ...args];
  return await resultOf(await spawnProcess('sh', command, { env: cliEnv() }));
}

async function resultOf(child: Child): Promise<CliResult> {
  child.stdin.end();
  return { ...(await child.exited), stdout: child.stdout.text(), stderr: child.stderr.text() };
}
