import { pathToFileURL } from 'node:url';
import { type CliChild, spawnCli } from './cli.ts';

export interface RunningLockServer {
  readonly url: string;
  /** HOST:PORT, to start another on the same port. */
  readonly address: string;
  readonly child: CliChild;
}

export interface LockServerStart {
  /** Where it keeps what it acknowledged; without one it keeps everything in memory. */
  readonly data?: string;
  /** An etcd in which it keeps it instead, such as `etcd://127.0.0.1:2379/prefix`. */
  readonly backend?: string;
  /** Default: a free port. */
  readonly address?: string;
  /** Milliseconds of silence after which a session is lost; a third of it is a heartbeat. Default 3,000. */
  readonly ttlMs?: number;
  /** Modules that the process loads first. */
  readonly imports?: readonly string[];
  /** Further arguments. */
  readonly more?: readonly string[];
  /** Program with arguments that starts it. Default: none. */
  readonly via?: readonly string[];
}

/** Starts `layerpull serve` in a process of its own, with times short enough for a test to see them pass. */
export async function startLockServer(start: LockServerStart = {}): Promise<RunningLockServer> {
  const { address = '127.0.0.1:0', ttlMs = 3_000, imports = [], more = [], via = [] } = start;
  const nodeOptions = imports.map((file) => `--import=${pathToFileURL(file)}`).join(' ');
  const child = await spawnCli(
    ['serve', '--addr', address, '--session-ttl', `${ttlMs}ms`, ...placeOf(start), ...more],
    {
      env: { NODE_OPTIONS: nodeOptions || undefined },
      via,
    },
  );
  const [url] = await child.stdout.waitFor(/http:\/\/[\d.]+:\d+/);
  return { url, address: new URL(url).host, child };
}

function placeOf({ data, backend }: LockServerStart): string[] {
  if (backend !== undefined) return ['--backend', backend];
  return data === undefined ? ['--ephemeral'] : ['--data', data];
}
