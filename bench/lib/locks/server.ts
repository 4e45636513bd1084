import { cliEnv, cliProgram } from '../../../test/support/cli.ts';
import { type Child, spawnProcess } from '../../../test/support/processes.ts';
import { tempDir } from '../../../test/support/temp.ts';

export interface ServerOptions {
  /** Where it keeps its locks, across restarts: a folder, or an etcd that it shares with others. Default: a new folder. */
  readonly dataDir?: string;
  readonly backend?: string;
  /** Default: a free one. */
  readonly port?: number;
  /** Write a CPU profile there when the server ends. */
  readonly profileDir?: string | undefined;
}

/** A lock server in a process of its own. */
export interface Server {
  readonly url: string;
  readonly port: number;
  readonly child: Child;
  stop(): Promise<void>;
}

/** `layerpull serve` of this build. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { dataDir, backend, port = 0, profileDir } = options;
  const profile = profileDir === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profileDir];
  const place = backend === undefined ? ['--data', dataDir ?? tempDir()] : ['--backend', backend];
  const serve = ['serve', '--addr', `127.0.0.1:${port}`, ...place, '--log-level', 'warn'];
  return await startProgram([...profile, cliProgram(), ...serve]);
}

/** Starts a Node program that prints its URL once it listens. */
export async function startProgram(args: readonly string[]): Promise<Server> {
  const child = await spawnProcess(process.execPath, args, { env: cliEnv(), maxLogChars: 65_536 });
  child.stdin.end();
  const [url] = await child.stdout.waitFor(/http:\/\/\S+/).catch((error) => {
    throw new Error(`${String(error)}\n${child.stderr.text()}`);
  });
  return {
    url,
    port: Number(new URL(url).port),
    child,
    async stop() {
      child.kill('SIGTERM');
      await child.exited;
    },
  };
}
