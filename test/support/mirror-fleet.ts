import path from 'node:path';
import { startAgent } from './agents.ts';
import { type CliChild, spawnCli } from './cli.ts';
import { tempDir } from './temp.ts';

/** A node with a store of its own, an agent, and the registry mirror of that. */
export interface MirrorNode {
  readonly name: string;
  readonly store: string;
  /** By which other nodes read from it. */
  readonly peerUrl: string;
  /** Of its registry mirror. */
  readonly url: string;
  /** `127.0.0.1:PORT` of that. */
  readonly host: string;
  readonly child: CliChild;
}

export interface MirrorFleet {
  /** URL of the lock server. */
  readonly server: string;
  readonly nodes: readonly [MirrorNode, MirrorNode, MirrorNode];
}

/**
 * A lock server and three nodes that know it, all on free ports of this machine. They end with the test.
 *
 * @param trust flags of all of them
 */
export async function startMirrorFleet(trust: readonly string[] = []): Promise<MirrorFleet> {
  const lockServer = await spawnCli(['serve', '--addr', '127.0.0.1:0', '--ephemeral', ...trust]);
  const [server] = await lockServer.stdout.waitFor(/https?:\/\/127\.0\.0\.1:\d+/);
  const start = (name: string) => startMirrorNode(name, server, trust);
  const nodes = await Promise.all([start('one'), start('two'), start('three')]);
  return { server, nodes };
}

async function startMirrorNode(name: string, server: string, trust: readonly string[]): Promise<MirrorNode> {
  const store = path.join(tempDir(), 'store');
  const flags = ['--registry-addr', '127.0.0.1:0', '--log-level', 'debug', ...trust];
  const { child } = await startAgent({ store, server, node: name, more: flags });
  const [, peerUrl = '', url = ''] = await child.stdout.waitFor(/^(https?:\S+)\n(https?:\S+)\n/);
  return { name, store, peerUrl, url, host: new URL(url).host, child };
}
