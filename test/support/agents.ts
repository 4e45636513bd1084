import { type CliChild, spawnCli } from './cli.ts';

export interface AgentArgs {
  readonly store: string;
  readonly server?: string;
  readonly node?: string;
  readonly more?: readonly string[];
}

export interface RunningAgent {
  /** Where it serves other nodes; its store without a lock server. */
  readonly line: string;
  readonly child: CliChild;
}

/** Starts `layerpull agent`, which serves other nodes on a free port of this machine. */
export async function spawnAgent({ store, server, node = 'agent', more = [] }: AgentArgs): Promise<CliChild> {
  const known = server === undefined ? [] : ['--server', server, '--peer-addr', '127.0.0.1:0'];
  return await spawnCli(['agent', '--store', store, '--node', node, ...known, ...more]);
}

/** The same, and waits until it coordinates its store. */
export async function startAgent(args: AgentArgs): Promise<RunningAgent> {
  const child = await spawnAgent(args);
  const [line] = await child.stdout.waitFor(/.+(?=\n)/);
  return { line, child };
}
