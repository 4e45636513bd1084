import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { runCli } from '../../support/cli.ts';
import { openStage, type StageNode } from '../../support/containerd-stage.ts';
import { describeContainers } from '../../support/containers.ts';
import { type PushedImage, pushImage } from '../../support/images.ts';
import { type RealRegistry, startRegistry } from '../../support/real-registry.ts';
import { soon } from '../../support/soon.ts';
import { blobsOf, expectRuns } from './facts.ts';

describeContainers('the content of a containerd with a plugin', () => {
  test('is listed, read, labelled and removed by ctr', async () => {
    const { registry, image, node } = await setUp('content by ctr');
    const { containerd } = node;
    const listed = (await containerd.ctr('content', 'ls', '-q')).trim().split('\n');
    expect(listed.sort()).toEqual([image.digest, ...blobsOf(image)].sort());

    const config = await containerd.ctr('content', 'get', image.config.digest);
    expect(`sha256:${createHash('sha256').update(config).digest('hex')}`).toBe(image.config.digest);
    expect(readFileSync(registry.blobFile(image.config.digest), 'utf8')).toBe(config);

    await containerd.ctr('content', 'label', image.config.digest, 'purpose=test');
    expect(await containerd.ctr('content', 'ls', 'labels.purpose==test')).toContain(image.config.digest);

    await containerd.ctr('content', 'rm', image.config.digest);
    await expect(containerd.ctr('content', 'get', image.config.digest)).rejects.toThrow(/not found/);
    await containerd.pull(image.reference);
    expect(await containerd.ctr('content', 'ls', '-q')).toContain(image.config.digest);
    expect(await registry.blobGets(image.config.digest)).toBe(1);
  });

  test('stays in the store when containerd collects what it needs no more, and is taken from there again', async () => {
    const { registry, image, node } = await setUp('content collected');
    const { containerd, plugin, store } = node;
    await containerd.ctr('images', 'rm', '--sync', image.reference);
    await soon(async () => expect((await containerd.ctr('content', 'ls', '-q')).trim()).toBe(''));
    for (const digest of blobsOf(image)) {
      await plugin().log.waitFor('reference updated', { digest, change: 'removed' });
      expect(existsSync(blobFile(node, digest))).toBe(true);
    }

    await containerd.pull(image.reference);
    for (const digest of blobsOf(image)) {
      await plugin().log.waitFor('present', { digest });
      expect(await registry.blobGets(digest)).toBe(1);
    }
    await expectRuns(node, image);
    expect(statSync(store).isDirectory()).toBe(true);
  });

  test('gives up layers that are unpacked with "ctr content prune references", and the image still runs', async () => {
    const { image, node } = await setUp('content pruned');
    const { containerd } = node;
    await containerd.ctr('content', 'prune', 'references');
    const layers = image.layers.map(({ digest }) => digest);
    await soon(async () => {
      const listed = await containerd.ctr('content', 'ls', '-q');
      expect(layers.filter((digest) => listed.includes(digest))).toEqual([]);
    });
    await expectRuns(node, image);
  });

  test('is kept by "layerpull prune" as long as containerd needs it', async () => {
    const { stage, image, node } = await setUp('content and prune');
    const { containerd, store } = node;
    const prune = async () => {
      const done = await runCli(['prune', '--store', store, '--server', stage.server.url, '--json']);
      expect(done).toMatchObject({ code: 0 });
    };
    await prune();
    for (const digest of blobsOf(image)) expect(existsSync(blobFile(node, digest))).toBe(true);
    await containerd.ctr('images', 'rm', '--sync', image.reference);
    await soon(async () => expect((await containerd.ctr('content', 'ls', '-q')).trim()).toBe(''));
    await prune();
    for (const digest of blobsOf(image)) expect(existsSync(blobFile(node, digest))).toBe(false);
    await containerd.pull(image.reference);
    await expectRuns(node, image);
  });
});

interface Fixture {
  readonly registry: RealRegistry;
  readonly image: PushedImage;
  readonly node: StageNode;
  readonly stage: Awaited<ReturnType<typeof openStage>>;
}

/** A node that has an image. */
async function setUp(title: string): Promise<Fixture> {
  const registry = await startRegistry();
  const image = await pushImage(registry, 'library/busybox', { busybox: true, layers: [200_000, 300_000] });
  const stage = await openStage(title);
  const node = await stage.addNode('node-a');
  await node.containerd.pull(image.reference);
  return { registry, image, node, stage };
}

function blobFile({ store }: StageNode, digest: string): string {
  return path.join(store, 'blobs', digest.replace(':', '/'));
}
