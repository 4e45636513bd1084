import { expect, test } from 'vitest';
import { openStage } from '../../support/containerd-stage.ts';
import { describeContainers } from '../../support/containers.ts';
import { pushImage } from '../../support/images.ts';
import { startRegistry } from '../../support/real-registry.ts';
import { blobsOf, expectOneHolderAtATime, expectReadOnce, expectRuns } from './facts.ts';

describeContainers('many pulls at once', () => {
  test('ten of one image bring each blob once', async () => {
    const registry = await startRegistry();
    const image = await pushImage(registry, 'library/busybox', {
      busybox: true,
      layers: [500_000, 2_000_000],
    });
    const { addNode, serverLog } = await openStage('ten pulls of one image');
    const node = await addNode('node-a');
    await Promise.all(Array.from({ length: 10 }, () => node.containerd.pull(image.reference)));
    for (const resource of blobsOf(image)) {
      expect(serverLog.find('lock granted', { resource })).toHaveLength(1);
    }
    await expectReadOnce(registry, image);
    await expectRuns(node, image);
  });

  test('five of different images on two nodes bring what they have in common once', async () => {
    const registry = await startRegistry();
    const base = { bytes: 1_000_000, seed: 'base' };
    const names = ['one', 'two', 'three', 'four', 'five'];
    const images = await Promise.all(
      names.map((name) =>
        pushImage(registry, `library/${name}`, {
          busybox: true,
          layers: [base, { bytes: 100_000, seed: name }],
        }),
      ),
    );
    const { addNode, serverLog } = await openStage('five images on two nodes');
    const nodes = [await addNode('node-a'), await addNode('node-b')];
    await Promise.all(
      nodes.flatMap((node) => images.map(({ reference }) => node.containerd.pull(reference))),
    );
    expectOneHolderAtATime(serverLog);
    for (const image of images) {
      await expectReadOnce(registry, image);
      for (const node of nodes) await expectRuns(node, image);
    }
  });
});
