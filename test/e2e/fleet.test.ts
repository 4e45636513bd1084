import path from 'node:path';
import { expect, it } from 'vitest';
import { type CliChild, spawnCli } from '../support/cli.ts';
import { describeWith } from '../support/components.ts';
import { startGateProxy } from '../support/gate-proxy.ts';
import { get } from '../support/get.ts';
import { pushImage } from '../support/images.ts';
import { resultOf, startPull, startServer, verifyStore } from '../support/pulls.ts';
import { startRegistry } from '../support/real-registry.ts';
import { soon } from '../support/soon.ts';
import { tempDir } from '../support/temp.ts';

const layers = 4;
const nodes = ['node-1', 'node-2', 'node-3', 'node-4'];

/** A registry with one image behind a gate, a lock server, and where each node keeps its own. */
async function setUp() {
  const registry = await startRegistry();
  const image = await pushImage(registry, 'library/app', { layers: Array(layers).fill(500_000) });
  await registry.clearLog();
  const gate = await startGateProxy(registry);
  const { url: server, child: lockServer } = await startServer();
  const folder = tempDir();
  const blobs = [image.config, ...image.layers];
  return {
    ...{ gate, server, lockServer },
    reference: `${gate.host}/library/app:latest`,
    digests: [image.manifestDigest, ...blobs.map(({ digest }) => digest)],
    bytes: blobs.reduce((sum, { size }) => sum + size, 0),
    /** Bytes of all answers so far. */
    egress: async () => (await registry.accessLog()).reduce((sum, entry) => sum + entry.bytes, 0),
    storeOf: (node: string) => path.join(folder, node),
  };
}

type Fleet = Awaited<ReturnType<typeof setUp>>;

/** Until every node has every layer in hand. Else one could be done, and gone, before another has started. */
async function everyoneIsThere({ server }: Fleet): Promise<void> {
  await soon(async () => {
    const { text } = await get(`${server}/metrics`);
    const held = Number(/^layerpull_lock_held (\d+)$/m.exec(text)?.[1]);
    expect(held).toBeGreaterThanOrEqual(nodes.length * layers);
  });
}

async function startAgent({ server, storeOf }: Fleet, node: string): Promise<CliChild> {
  const listen = ['--peer-addr', '127.0.0.1:0'];
  const agent = await spawnCli([
    ...['agent', ...listen, '--store', storeOf(node), '--server', server, '--node', node],
  ]);
  await agent.stdout.waitFor(/http:\/\/127\.0\.0\.1:\d+/);
  return agent;
}

async function everyoneIsDone({ storeOf, digests }: Fleet, pulls: readonly CliChild[]) {
  const results = await Promise.all(pulls.map(async (pull) => resultOf(await pull.result())));
  for (const node of nodes) {
    expect(await verifyStore(storeOf(node))).toEqual(expect.arrayContaining(digests));
  }
  return results;
}

describeWith(['docker-registry'], 'four nodes with stores of their own', () => {
  it('take an image from the registry once with pulls that share', async () => {
    const fleet = await setUp();
    const { gate, reference, server, storeOf } = fleet;
    // A layer that is handed to another node was hardly begun.
    gate.shut(1_000);
    const pulls = await Promise.all(
      nodes.map((node) => startPull({ reference, server, node, store: storeOf(node) })),
    );
    await everyoneIsThere(fleet);
    gate.open();
    const results = await everyoneIsDone(fleet, pulls);
    expect(await fleet.egress()).toBeLessThanOrEqual(1.05 * fleet.bytes);
    const outcomes = results.flatMap((result) => result.layers.map((layer) => layer.outcome));
    expect(outcomes.filter((outcome) => outcome === 'copied').length).toBeGreaterThanOrEqual(
      (nodes.length - 1) * layers,
    );
  });

  it('take an image from the registry once through agents', async () => {
    const fleet = await setUp();
    const { gate, reference, storeOf } = fleet;
    await Promise.all(nodes.map((node) => startAgent(fleet, node)));
    // A layer that is handed to another node was hardly begun.
    gate.shut(1_000);
    const pulls = await Promise.all(
      nodes.map((node) => startPull({ reference, node, store: storeOf(node) })),
    );
    await everyoneIsThere(fleet);
    gate.open();
    await everyoneIsDone(fleet, pulls);
    expect(await fleet.egress()).toBeLessThanOrEqual(1.05 * fleet.bytes);
  });

  it('have it all in the end when the lock server is killed in the middle', async () => {
    const fleet = await setUp();
    const { gate, reference, server, storeOf, lockServer } = fleet;
    gate.shut(250_000);
    const pulls = await Promise.all(
      nodes.map((node) => startPull({ reference, server, node, store: storeOf(node) })),
    );
    await everyoneIsThere(fleet);
    lockServer.kill('SIGKILL');
    await lockServer.exited;
    gate.open();
    await everyoneIsDone(fleet, pulls);
  });
});
