import { spawnSync } from 'node:child_process';
import type { NetworkHost } from '../../../test/support/netns.ts';
import { startOwnProgram } from './programs.ts';
import type { Fault, Scene } from './round.ts';

/** What may happen to a fleet while it shares. Each leaves every node with the whole image. */
export const faults: readonly Fault[] = [
  {
    name: 'origin killed at half, started again',
    atHalf: (scene) => scene.kill(greatestReader(scene)),
  },
  {
    name: 'busiest peer frozen at half',
    atHalf: (scene) => scene.freeze(busiestPeer(scene)),
  },
  {
    name: 'lock server killed at half for ever',
    atHalf: ({ crew }) => crew.lockServer?.kill('SIGKILL'),
  },
  {
    name: 'a peer with wrong bytes',
    before: startLiar,
  },
];

/** The node to which the registry has sent most over connections that are open. */
function greatestReader({ site, nodes }: Scene): NetworkHost {
  const args = ['ss', '-tinHO', 'state', 'established', 'sport', '=', new URL(site.registryUrl).port];
  const [command = '', ...rest] = [...site.registry.via, ...args];
  const { stdout, stderr, status } = spawnSync(command, rest, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ss: ${stderr.trim()}`);
  const lines = stdout.split('\n');
  const readBy = ({ address }: NetworkHost) =>
    lines
      .filter((line) => line.includes(` ${address}:`))
      .reduce((sum, line) => sum + Number(/bytes_sent:(\d+)/.exec(line)?.[1] ?? 0), 0);
  return greatest(nodes, readBy);
}

function busiestPeer({ nodes, sentBy }: Scene): NetworkHost {
  return greatest(nodes, sentBy);
}

function greatest(nodes: readonly NetworkHost[], size: (node: NetworkHost) => number): NetworkHost {
  const [first, ...others] = nodes.map((node) => ({ node, size: size(node) }));
  if (!first) throw new Error('no nodes');
  return others.reduce((best, one) => (one.size > best.size ? one : best), first).node;
}

async function startLiar({ site, crew, image }: Scene): Promise<void> {
  if (crew.lockUrl === undefined) throw new Error('only a fleet with a lock server can be lied to');
  const liar = await startOwnProgram(site.extra, 'liar', crew.lockUrl, site.extra.address, ...image.digests);
  await liar.stdout.waitFor(/announced/);
}
