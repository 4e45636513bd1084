import path from 'node:path';
import { expect, test } from 'vitest';
import { openStage, type Stage, type StageNode } from '../../support/containerd-stage.ts';
import { describeContainers } from '../../support/containers.ts';
import { startGateProxy } from '../../support/gate-proxy.ts';
import { pushImage } from '../../support/images.ts';
import { startRegistry } from '../../support/real-registry.ts';
import { createSmallDisk, pretendSmallDisk } from '../../support/small-disk.ts';
import { tempDir } from '../../support/temp.ts';
import { begun, expectOneHolderAtATime, expectRuns, waitForContent } from './facts.ts';

const layerBytes = 4_000_000;
/** Enough for the base of the image and a part of the layer. */
const roomBytes = 2_500_000;

describeContainers('scenario 4: A cannot write while it holds a layer', () => {
  test('into one store: it releases with the error, and B is granted at once and goes on', async () => {
    const { stage, gate, image, base, layer, reference } = await setUp('4 write error, one store');
    const store = path.join(tempDir(), 'store');
    const fault = pretendSmallDisk(roomBytes).options();
    const a = await stage.addNode('node-a', { store, env: fault.env });
    const b = await stage.addNode('node-b', { store });
    const { story, serverLog } = stage;

    const failing = await holdLayer(a, { gate, image, base, layer, reference });
    const going = begun(b.containerd.pull(reference));
    story.shows(
      'queue in',
      'node-b',
      await b.plugin().log.waitFor('queued', { digest: layer, holder: 'node-a' }),
    );
    gate.open();

    await showFailure(stage, a, layer);
    expect(await failing.error).toBeInstanceOf(Error);
    const granted = await b.plugin().log.waitFor('granted after wait', { digest: layer });
    story.shows('queue out', 'node-b', granted);
    // Next to each other in the log of the server: nobody waits for a time limit.
    const events = serverLog.all().filter(({ resource }) => resource === layer);
    const failed = events.findIndex(({ event, node }) => event === 'released' && node === 'node-a');
    expect(events[failed + 1]).toMatchObject({ event: 'granted', node: 'node-b' });
    await going;
    story.shows('source', 'node-b', await b.plugin().log.waitFor('source', { digest: layer }));
    story.shows(
      'release',
      'node-b',
      await b.plugin().log.waitFor('released', { digest: layer, success: true }),
    );
    story.shows(
      'reference update',
      'node-b',
      await b.plugin().log.waitFor('reference updated', { digest: layer, catalog: 'node-b' }),
    );
    expectOneHolderAtATime(serverLog);
    await expectRuns(b, image, reference);
  });

  test('into a store each: who read from it goes on at the registry, and A has the image once there is room', async () => {
    const { stage, gate, image, base, layer, reference } = await setUp('4 write error, a store each');
    const disk = await createSmallDisk(roomBytes);
    const a = await stage.addNode('node-a', { store: path.join(disk.folder, 'store'), ...disk.options() });
    const b = await stage.addNode('node-b');
    const { story } = stage;

    const failing = await holdLayer(a, { gate, image, base, layer, reference });
    const going = begun(b.containerd.pull(reference));
    const peer = await b.plugin().log.waitFor('source', { digest: layer, peer: 'node-a' });
    story.shows('source', 'node-b', peer);
    gate.open();

    await showFailure(stage, a, layer);
    expect(await failing.error).toBeInstanceOf(Error);
    await going;
    const rest = await b
      .plugin()
      .log.waitFor('source', { digest: layer, source: 'registry through containerd' });
    story.shows('source', 'node-b', rest);
    story.shows(
      'release',
      'node-b',
      await b.plugin().log.waitFor('released', { digest: layer, success: true }),
    );
    await expectRuns(b, image, reference);

    await disk.grow();
    await a.restartPlugin(disk.options());
    await waitForContent(a);
    await a.containerd.pull(reference);
    story.shows(
      'release',
      'node-a',
      await a.plugin().log.waitFor('released', { digest: layer, success: true }),
    );
    await expectRuns(a, image, reference);
  });
});

async function setUp(title: string) {
  const registry = await startRegistry();
  const image = await pushImage(registry, 'library/busybox', { busybox: true, layers: [layerBytes] });
  const gate = await startGateProxy(registry);
  const reference = image.reference.replace(registry.host, gate.host);
  const layer = image.layers.at(-1)?.digest ?? '';
  const { reference: base } = await pushImage(registry, 'library/base', { busybox: true });
  return { stage: await openStage(title), gate, image, base, layer, reference };
}

type Fixture = Omit<Awaited<ReturnType<typeof setUp>>, 'stage'>;

/** Has a node hold the lock of the layer, with nothing else of the image to be written, until the gate opens. */
async function holdLayer(
  { containerd, plugin }: StageNode,
  { gate, image, base, layer, reference }: Fixture,
) {
  await containerd.pull(base);
  gate.shut(100_000);
  const error = containerd.pull(reference).catch((reason: unknown) => reason);
  const { log } = plugin();
  await log.waitFor('source', { digest: layer });
  await log.waitFor('released', { digest: image.config.digest, success: true });
  return { error };
}

async function showFailure(
  { story, serverLog }: Stage,
  { name, plugin }: StageNode,
  digest: string,
): Promise<void> {
  const released = await plugin().log.waitFor('released', { digest, success: false });
  story.shows('release', name, released);
  expect(released['error']).toMatch(/no space|full/i);
  story.shows(
    'release',
    'lock server',
    await serverLog.waitFor('lock released', { resource: digest, node: name, success: false }),
  );
}
