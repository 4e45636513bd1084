import path from 'node:path';
import { expect, test } from 'vitest';
import { openStage, type Stage } from '../../support/containerd-stage.ts';
import { describeContainers } from '../../support/containers.ts';
import { type PushedImage, pushImage } from '../../support/images.ts';
import { type RealRegistry, startRegistry } from '../../support/real-registry.ts';
import { tempDir } from '../../support/temp.ts';
import { blobsOf, expectReadOnce, expectRuns, showDownloads } from './facts.ts';

describeContainers('scenario 1: a pull on A, then on B', () => {
  test('of one store: B finds all of it there and asks for no lock', async () => {
    const { stage, registry, image } = await setUp('1 serial, one store');
    const store = path.join(tempDir(), 'store');
    const [a, b] = [await stage.addNode('node-a', { store }), await stage.addNode('node-b', { store })];
    const { story, serverLog } = stage;

    await a.containerd.pull(image.reference);
    await showDownloads(stage, a, image);

    await b.containerd.pull(image.reference);
    for (const digest of blobsOf(image)) {
      story.shows('skip decision', 'node-b', await b.plugin().log.waitFor('present', { digest }));
      story.shows(
        'reference update',
        'node-b',
        await b.plugin().log.waitFor('reference updated', { digest, catalog: 'node-b' }),
      );
    }
    expect(b.plugin().log.find('lock requested')).toEqual([]);
    expect(serverLog.all().filter(({ node }) => node === 'node-b')).toEqual([]);
    await expectServed(stage, registry, image);
    for (const node of [a, b]) await expectRuns(node, image);
  });

  test('of a store each: B reads everything from A', async () => {
    const { stage, registry, image } = await setUp('1 serial, a store each');
    const [a, b] = [await stage.addNode('node-a'), await stage.addNode('node-b')];
    const { story } = stage;

    await a.containerd.pull(image.reference);
    await showDownloads(stage, a, image);

    await b.containerd.pull(image.reference);
    for (const digest of blobsOf(image)) {
      const peer = { digest, peer: 'node-a' };
      story.shows('lock answer', 'node-b', await b.plugin().log.waitFor('lock granted', peer));
      story.shows('source', 'node-b', await b.plugin().log.waitFor('source', peer));
      story.shows('release', 'node-b', await b.plugin().log.waitFor('released', { digest, success: true }));
    }
    await expectServed(stage, registry, image);
    for (const node of [a, b]) await expectRuns(node, image);
  });
});

async function setUp(title: string) {
  const registry = await startRegistry();
  const image = await pushImage(registry, 'library/busybox', { busybox: true, layers: [200_000, 1_000_000] });
  return { stage: await openStage(title), registry, image };
}

async function expectServed(
  { story, serverLog }: Stage,
  registry: RealRegistry,
  image: PushedImage,
): Promise<void> {
  expect(serverLog.find('lock queued')).toEqual([]);
  await expectReadOnce(registry, image);
  story.tells('nobody was queued, and the registry gave each blob once');
}
