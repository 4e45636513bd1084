import path from 'node:path';
import { type CliChild, spawnCli } from './cli.ts';
import { keepOutput } from './kept-output.ts';
import { type LogLines, logLines } from './log-lines.ts';
import { tempDir } from './temp.ts';

export interface ContentPluginArgs {
  readonly node: string;
  readonly store: string;
  /** Default: in a folder of its own. */
  readonly socket?: string | undefined;
  /** Url of a lock server. Default: the processes on the store coordinate themselves. */
  readonly server?: string | undefined;
  /** Where it serves other nodes. Default: a free port of this machine where there is a lock server. */
  readonly peerAddress?: string | undefined;
  readonly more?: readonly string[] | undefined;
  readonly via?: readonly string[] | undefined;
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** File that gets what it says. Default: none. */
  readonly logFile?: string | undefined;
}

export interface TestContentPlugin {
  readonly node: string;
  readonly socket: string;
  readonly child: CliChild;
  readonly log: LogLines;
}

/** Starts `layerpull content-plugin`, and waits until it listens. It ends with the test. */
export async function startContentPlugin(args: ContentPluginArgs): Promise<TestContentPlugin> {
  const { node, store, server, socket = path.join(tempDir(), 'content.sock') } = args;
  const { peerAddress = server === undefined ? undefined : '127.0.0.1:0' } = args;
  const words = ['content-plugin', '--socket', socket, '--node', node, '--store', store];
  if (server !== undefined) words.push('--server', server);
  if (peerAddress !== undefined) words.push('--peer-addr', peerAddress);
  const { via = [], env = {}, more = [], logFile } = args;
  const child = await spawnCli([...words, ...more], { via, env });
  if (logFile !== undefined) keepOutput(child.stderr, logFile);
  await child.stdout.waitFor(/.+\n/);
  return { node, socket, child, log: logLines(child.stderr) };
}
