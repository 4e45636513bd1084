import path from 'node:path';
import { expect, test } from 'vitest';
import { openStage, type Stage, type StageNode } from '../../support/containerd-stage.ts';
import { describeContainers } from '../../support/containers.ts';
import { startGateProxy } from '../../support/gate-proxy.ts';
import { pushImage } from '../../support/images.ts';
import type { LogLine } from '../../support/log-lines.ts';
import { startRegistry } from '../../support/real-registry.ts';
import { tempDir } from '../../support/temp.ts';
import { begun, blobsOf, expectOneHolderAtATime, expectReadOnce, expectRuns } from './facts.ts';

describeContainers('scenario 2: A and B pull at once', () => {
  test('into one store: each layer has one holder at a time, and who was queued is served', async () => {
    const { stage, registry, gate, image, reference } = await setUp('2 at once, one store');
    const store = path.join(tempDir(), 'store');
    const nodes = [
      await stage.addNode('node-a', { store }),
      await stage.addNode('node-b', { store }),
    ] as const;
    const { serverLog } = stage;

    gate.shut(100);
    const pulls = nodes.map((node) => begun(node.containerd.pull(reference)));
    // Until all are held or queued, no blob gets to its end.
    for (const digest of blobsOf(image)) await serverLog.waitFor('lock queued', { resource: digest });
    gate.open();
    await Promise.all(pulls);

    for (const digest of blobsOf(image)) await showTurns(stage, nodes, digest);
    expectOneHolderAtATime(serverLog);
    await expectReadOnce(registry, image);
    stage.story.tells('one holder of a layer at a time, and the registry gave each blob once');
    for (const node of nodes) await expectRuns(node, image, reference);
  });

  test('into a store each: who comes second reads from the first while it downloads', async () => {
    const { stage, registry, gate, image, reference } = await setUp('2 at once, a store each');
    const nodes = [await stage.addNode('node-a'), await stage.addNode('node-b')] as const;
    const { serverLog, story } = stage;

    gate.shut(100);
    const pulls: Promise<string>[] = [];
    // One after the other, as one that has just begun may give a layer to another that comes at the very same time.
    for (const { containerd, plugin } of nodes) {
      pulls.push(begun(containerd.pull(reference)));
      for (const digest of blobsOf(image)) await plugin().log.waitFor('source', { digest });
    }
    gate.open();
    await Promise.all(pulls);

    for (const digest of blobsOf(image)) await showSources(stage, nodes, digest);
    expectOneHolderAtATime(serverLog);
    await expectReadOnce(registry, image);
    story.tells('the registry gave each blob once');
    for (const node of nodes) await expectRuns(node, image, reference);
  });
});

async function setUp(title: string) {
  const registry = await startRegistry();
  const image = await pushImage(registry, 'library/busybox', { busybox: true, layers: [200_000, 1_000_000] });
  const gate = await startGateProxy(registry);
  const reference = image.reference.replace(registry.host, gate.host);
  return { stage: await openStage(title), registry, gate, image, reference };
}

type Nodes = readonly [StageNode, StageNode];

/** One of the two downloads; the other is queued behind it, and takes what is there when it is its turn. */
async function showTurns({ serverLog, story }: Stage, nodes: Nodes, digest: string): Promise<void> {
  const queued = await serverLog.waitFor('lock queued', { resource: digest });
  const [second, first] = inOrder(nodes, queued);
  const [one, two] = [first.plugin().log, second.plugin().log];
  story.shows('lock answer', first.name, await one.waitFor('lock granted', { digest }));
  story.shows(
    'queue in',
    second.name,
    await two.waitFor('queued', { digest, position: 1, holder: first.name }),
  );
  story.shows('release', first.name, await one.waitFor('released', { digest, success: true }));
  const served = await two.waitFor('skip', { digest });
  story.shows('queue out, skip decision', second.name, served);
  expect(served['by']).toBe(first.name);
  story.shows(
    'reference update',
    second.name,
    await two.waitFor('reference updated', { digest, catalog: second.name }),
  );
  expect(two.find('source', { digest })).toEqual([]);
}

/** One of the two reads the registry, the other reads from it. */
async function showSources({ story }: Stage, nodes: Nodes, digest: string): Promise<void> {
  const from = await Promise.all(nodes.map(({ plugin }) => plugin().log.waitFor('source', { digest })));
  for (const [at, line] of from.entries()) story.shows('source', nodes[at]?.name ?? '', line);
  const peers = from.map(({ peer }) => peer);
  const [a, b] = nodes.map(({ name }) => name);
  expect([
    [undefined, a],
    [b, undefined],
  ]).toContainEqual(peers);
}

function inOrder([a, b]: Nodes, { node }: LogLine): Nodes {
  return node === a.name ? [a, b] : [b, a];
}
