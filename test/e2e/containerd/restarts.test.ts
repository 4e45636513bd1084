import { expect, test } from 'vitest';
import { openStage } from '../../support/containerd-stage.ts';
import { describeContainers } from '../../support/containers.ts';
import { startGateProxy } from '../../support/gate-proxy.ts';
import { pushImage } from '../../support/images.ts';
import { startRegistry } from '../../support/real-registry.ts';
import { begun, blobsOf, expectRuns, waitForContent, waitForPartial } from './facts.ts';

describeContainers('containerd and its plugin', () => {
  test('may be started again in any order, and have what they had', async () => {
    const { registry, image, node } = await setUp('restarts');
    const { containerd } = node;
    await containerd.pull(image.reference);
    const listed = await containerd.ctr('content', 'ls', '-q');
    const expectAll = async (tag: string) => {
      await waitForContent(node);
      expect(await containerd.ctr('content', 'ls', '-q')).toBe(listed);
      await expectRuns(node, image);
      const other = await pushImage(registry, `library/${tag}`, { layers: [{ bytes: 50_000, seed: tag }] });
      await containerd.pull(other.reference);
      await containerd.ctr('images', 'rm', '--sync', other.reference);
    };

    await node.restartPlugin();
    await expectAll('plugin');

    await containerd.stop();
    await containerd.start();
    await expectAll('containerd');

    await containerd.stop('SIGKILL');
    await node.restartPlugin();
    await containerd.start();
    await expectAll('both');

    await node.plugin().child.stop();
    await containerd.stop();
    await containerd.start();
    await node.restartPlugin();
    await expectAll('containerd-first');
    for (const digest of blobsOf(image)) expect(await registry.blobGets(digest)).toBe(1);
  });

  test('a pull that begins without the plugin goes on when it comes', async () => {
    const { image, node } = await setUp('pull before plugin');
    await node.plugin().child.stop();
    const pull = begun(node.containerd.pull(image.reference));
    await node.restartPlugin();
    await pull;
    await expectRuns(node, image);
  });

  test('a plugin that is told to end lets the writers finish that are at work', async () => {
    const { registry, image, node } = await setUp('plugin told to end');
    const gate = await startGateProxy(registry);
    const reference = image.reference.replace(registry.host, gate.host);
    gate.shut(1_000);
    const pull = begun(node.containerd.pull(reference));
    await gate.waiting(image.layers.length);
    const { child, log } = node.plugin();
    child.kill('SIGTERM');
    await log.waitFor('waiting for those who read from here');
    gate.open();
    expect(await child.exited).toEqual({ code: 0, signal: null });
    for (const { digest } of image.layers) await log.waitFor('released', { digest, success: true });
    // What had no writer yet waits for the plugin; what was to be read meanwhile failed.
    await node.restartPlugin();
    await pull.catch(() => {});
    await waitForContent(node);
    await node.containerd.pull(reference);
    for (const { digest } of image.layers) expect(await registry.blobGets(digest)).toBe(1);
    await expectRuns(node, image, reference);
  });

  test('a pull goes on where it was after its plugin was killed', async () => {
    const { registry, image, node } = await setUp('plugin killed, pulled again');
    const gate = await startGateProxy(registry);
    const reference = image.reference.replace(registry.host, gate.host);
    const { digest = '' } = image.layers.at(-1) ?? {};
    gate.shut(3_000_000);
    const broken = node.containerd.pull(reference).catch((error: unknown) => error);
    await waitForPartial(node.store, digest, 1_000_000);
    node.plugin().child.kill('SIGKILL');
    await node.plugin().child.exited;
    gate.open();
    expect(await broken).toBeInstanceOf(Error);
    await node.restartPlugin();
    await waitForContent(node);
    await node.containerd.pull(reference);
    const source = await node.plugin().log.waitFor('source', { digest });
    expect(source['offset']).toBeGreaterThanOrEqual(1_000_000);
    await expectRuns(node, image, reference);
  });
});

async function setUp(title: string) {
  const registry = await startRegistry();
  const image = await pushImage(registry, 'library/busybox', { busybox: true, layers: [4_000_000] });
  const stage = await openStage(title);
  return { registry, image, stage, node: await stage.addNode('node-a') };
}
