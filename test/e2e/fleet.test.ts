import path from 'node:path';
import { expect, it } from 'vitest';
import { type CliChild, spawnCli } from '../support/cli.ts';
import { describeWith } from '../support/components.ts';
import { startGateProxy } from '../support/gate-proxy.ts';
import { pushImage } from '../support/images.ts';
import { patientAgent, patientPull, patientServer, patientSources } from '../support/patient.ts';
import { resultOf, startPull, startServer, verifyStore } from '../support/pulls.ts';
import { everyoneReads } from '../support/readers.ts';
import { startRegistry } from '../support/real-registry.ts';
import { tempDir } from '../support/temp.ts';

const layers = 4;
const nodes = ['node-1', 'node-2', 'node-3', 'node-4'];

/** A registry with one image behind a gate, a lock server, and where each node keeps its own. */
async function setUp() {
  const registry = await startRegistry();
  const image = await pushImage(registry, 'library/app', { layers: Array(layers).fill(500_000) });
  const gate = await startGateProxy(registry);
  const { url: server, child: lockServer } = await startServer('127.0.0.1:0', [
    '--ephemeral',
    ...patientServer,
  ]);
  const folder = tempDir();
  const blobs = [image.config, ...image.layers];
  return {
    ...{ gate, server, lockServer },
    reference: `${gate.host}/library/app:latest`,
    digests: [image.manifestDigest, ...blobs.map(({ digest }) => digest)],
    bytes: blobs.reduce((sum, { size }) => sum + size, 0),
    layers: image.layers.map(({ digest }) => digest),
    storeOf: (node: string) => path.join(folder, node),
  };
}

type Fleet = Awaited<ReturnType<typeof setUp>>;

async function startAgent({ server, storeOf }: Fleet, node: string): Promise<CliChild> {
  const listen = ['--peer-addr', '127.0.0.1:0'];
  const agent = await spawnCli([
    ...['agent', ...listen, '--store', storeOf(node), '--server', server, '--node', node, ...patientAgent],
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
      nodes.map((node) => startPull({ reference, server, node, store: storeOf(node), more: patientPull })),
    );
    await everyoneReads(pulls, fleet.layers);
    gate.open();
    const results = await everyoneIsDone(fleet, pulls);
    expect(gate.blobBytes()).toBeLessThanOrEqual(1.05 * fleet.bytes);
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
      nodes.map((node) => startPull({ reference, node, store: storeOf(node), more: patientPull })),
    );
    await everyoneReads(pulls, fleet.layers);
    gate.open();
    await everyoneIsDone(fleet, pulls);
    expect(gate.blobBytes()).toBeLessThanOrEqual(1.05 * fleet.bytes);
  });

  it('have it all in the end when the lock server is killed in the middle', async () => {
    const fleet = await setUp();
    const { gate, reference, server, storeOf, lockServer } = fleet;
    gate.shut(250_000);
    // When the lock server is out of reach, they go on as soon as ever.
    const held = [...patientSources, '--first-contact', '60s'];
    const pulls = await Promise.all(
      nodes.map((node) => startPull({ reference, server, node, store: storeOf(node), more: held })),
    );
    await everyoneReads(pulls, fleet.layers);
    lockServer.kill('SIGKILL');
    await lockServer.exited;
    gate.open();
    await everyoneIsDone(fleet, pulls);
  });
});
