import { type CliChild, spawnCli } from './cli.ts';

export interface RunningLockServer {
  readonly url: string;
  /** HOST:PORT, to start another on the same port. */
  readonly address: string;
  readonly child: CliChild;
}

/** Milliseconds of silence after which the servers of these tests give a session up; a third is a heartbeat. */
export const sessionTtlMs = 3_000;

/** Starts `layerpull serve` in a process of its own, in memory unless `args` names a directory. */
export async function startLockServer(
  args: readonly string[] = ['--ephemeral'],
  address = '127.0.0.1:0',
): Promise<RunningLockServer> {
  const child = await spawnCli(['serve', '--addr', address, '--session-ttl', `${sessionTtlMs}ms`, ...args]);
  const [url] = await child.stdout.waitFor(/http:\/\/127\.0\.0\.1:\d+/);
  return { url, address: new URL(url).host, child };
}
