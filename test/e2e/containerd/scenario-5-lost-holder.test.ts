import path from 'node:path';
import { expect, test } from 'vitest';
import { reportMissing } from '../../support/components.ts';
import { openStage, type Stage, type StageNode } from '../../support/containerd-stage.ts';
import { describeContainers } from '../../support/containers.ts';
import { startGateProxy } from '../../support/gate-proxy.ts';
import { pushImage } from '../../support/images.ts';
import { createNetwork, whyNoNetworks } from '../../support/netns.ts';
import { startRegistry } from '../../support/real-registry.ts';
import { tempDir } from '../../support/temp.ts';
import { begun, expectOneHolderAtATime, expectRuns, waitForContent, waitForPartial } from './facts.ts';

describeContainers('scenario 5: A is lost while it holds a layer', () => {
  test('its plugin is killed: the server notices, and B goes on from what A had', async () => {
    const registry = await startRegistry();
    const image = await pushImage(registry, 'library/busybox', { busybox: true, layers: [4_000_000] });
    const gate = await startGateProxy(registry);
    const reference = image.reference.replace(registry.host, gate.host);
    const layer = image.layers.at(-1)?.digest ?? '';
    const stage = await openStage('5 plugin killed');
    const store = path.join(tempDir(), 'store');
    const [a, b] = [await stage.addNode('node-a', { store }), await stage.addNode('node-b', { store })];

    gate.shut(3_000_000);
    const lost = a.containerd.pull(reference).catch((error: unknown) => error);
    await waitForPartial(store, layer, 1_000_000);
    const going = begun(b.containerd.pull(reference));
    await showQueued(stage, b, layer);
    a.plugin().child.kill('SIGKILL');
    await a.plugin().child.exited;
    gate.open();
    await showReclaimed(stage, b, layer);
    await going;
    await showEnd(stage, b, layer);
    expect(await lost).toBeInstanceOf(Error);
    await expectRuns(b, image, reference);

    await a.restartPlugin();
    await waitForContent(a);
    await a.containerd.pull(reference);
    stage.story.shows('skip decision', 'node-a', await a.plugin().log.waitFor('present', { digest: layer }));
    await expectRuns(a, image, reference);
  });

  const problem = whyNoNetworks();
  if (problem) reportMissing(problem);

  test.runIf(!problem)(
    'its network is cut: the server notices, B goes on, and A has the image once it is mended',
    async () => {
      const filled = await startRegistry();
      const image = await pushImage(filled, 'library/busybox', { busybox: true, layers: [4_000_000] });
      const network = createNetwork();
      const center = network.addHost('center');
      // Slow enough to be cut in the middle.
      const hosts = [network.addHost('node-a', { mbitPerSecond: 8 }), network.addHost('node-b')] as const;
      const registry = await startRegistry({ filesOf: filled, on: center });
      const reference = image.reference.replace(filled.host, registry.host);
      const layer = image.layers.at(-1)?.digest ?? '';
      const stage = await openStage('5 network cut', { via: center.via, address: `${center.address}:8080` });
      const store = path.join(tempDir(), 'store');
      const [a, b] = await Promise.all(
        hosts.map(({ name, address, via }) =>
          stage.addNode(name, { store, via, peerAddress: `${address}:7041` }),
        ),
      );
      if (!a || !b) throw new Error('two nodes');

      const cut = begun(a.containerd.pull(reference));
      await a.plugin().log.waitFor('source', { digest: layer });
      const going = begun(b.containerd.pull(reference));
      await showQueued(stage, b, layer);
      await waitForPartial(store, layer, 1_000_000);
      hosts[0].cut();
      await showReclaimed(stage, b, layer);
      await going;
      await showEnd(stage, b, layer);
      await expectRuns(b, image, reference);

      hosts[0].mend();
      await cut.catch(() => a.containerd.pull(reference));
      await expectRuns(a, image, reference);
    },
  );
});

async function showQueued({ story }: Stage, { name, plugin }: StageNode, digest: string): Promise<void> {
  story.shows('queue in', name, await plugin().log.waitFor('queued', { digest, holder: 'node-a' }));
}

/** The lock server took the layer from A because A was silent, and gave it to B. */
async function showReclaimed(
  { story, serverLog }: Stage,
  { name, plugin }: StageNode,
  resource: string,
): Promise<void> {
  const reclaimed = await serverLog.waitFor('lock reclaimed', { resource, node: 'node-a' });
  story.shows('monitor action', 'lock server', reclaimed);
  story.shows('queue out', 'lock server', await serverLog.waitFor('lock granted', { resource, node: name }));
  story.shows('queue out', name, await plugin().log.waitFor('granted after wait', { digest: resource }));
}

async function showEnd(
  { story, serverLog }: Stage,
  { name, plugin }: StageNode,
  digest: string,
): Promise<void> {
  const { log } = plugin();
  const source = await log.waitFor('source', { digest });
  story.shows('source', name, source);
  expect(source['offset']).toBeGreaterThan(0);
  story.shows('release', name, await log.waitFor('released', { digest, success: true }));
  story.shows('reference update', name, await log.waitFor('reference updated', { digest, catalog: name }));
  expectOneHolderAtATime(serverLog);
}
