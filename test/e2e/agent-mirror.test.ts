import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { clientConfig } from '../../src/ui/client-config.ts';
import { describeWith } from '../support/components.ts';
import { startContainerd } from '../support/containerd.ts';
import { type ImageOptions, type PushedPlatform, pushImage } from '../support/images.ts';
import { type MirrorNode, startMirrorFleet } from '../support/mirror-fleet.ts';
import { openPodman } from '../support/podman.ts';
import { verifyStore } from '../support/pulls.ts';
import { credentials, type RealRegistryOptions, startRegistry } from '../support/real-registry.ts';
import { skopeo } from '../support/skopeo.ts';
import { soon } from '../support/soon.ts';
import { tempDir } from '../support/temp.ts';

/** A registry with one image, and three nodes with agents. */
async function setUp(options: RealRegistryOptions = {}, more: ImageOptions = {}) {
  const registry = await startRegistry(options);
  const content = { busybox: true, layers: [400_000, 300_000], ...more };
  const image = await pushImage(registry, 'library/busybox', content);
  await registry.clearLog();
  const { nodes } = await startMirrorFleet();
  const digests = [image.config, ...image.layers].map(({ digest }) => digest);
  return { registry, image, digests, nodes };
}

type Fleet = Awaited<ReturnType<typeof setUp>>;

/** What was read of the registry: no blob twice, the manifest once, and all of it by nodes. */
async function expectOneRead({ registry, image, digests }: Fleet): Promise<void> {
  const reads = (await registry.accessLog()).filter(({ method }) => method === 'GET');
  for (const digest of digests) expect(await registry.blobGets(digest)).toBe(1);
  expect(reads.filter((entry) => entry.path.endsWith(`/manifests/${image.manifestDigest}`))).toHaveLength(1);
  for (const { userAgent } of reads) expect(userAgent).toContain('layerpull');
}

async function expectWhole({ image, digests }: Fleet, { store }: MirrorNode): Promise<void> {
  const wanted = [image.manifestDigest, ...digests];
  await soon(async () => expect(await verifyStore(store)).toEqual(expect.arrayContaining(wanted)));
}

const blobsOf = ({ config, layers }: PushedPlatform) => [config, ...layers].map(({ digest }) => digest);

function podmanAt({ url }: MirrorNode, registry: string) {
  const file = path.join(tempDir(), 'registries.conf');
  writeFileSync(file, clientConfig({ client: 'podman', url, registries: [registry] }));
  return openPodman(file);
}

const copyThrough = async ({ host }: MirrorNode, reference: string, ...flags: string[]) =>
  await skopeo(
    'copy',
    '--src-tls-verify=false',
    ...flags,
    `docker://${host}/${reference.replace(':', '_')}`,
    `dir:${tempDir()}`,
  );

describeWith(['docker-registry', 'skopeo', 'busybox'], 'a fleet of mirrors', () => {
  test('gives an image to skopeo at a node that never had it, once the registry is gone', async () => {
    const fleet = await setUp();
    const { registry, image, nodes } = fleet;
    const [one, two, three] = nodes;
    await copyThrough(one, image.reference);
    await expectOneRead(fleet);
    await registry.stop();
    await copyThrough(two, image.reference);
    await copyThrough(three, image.reference);
    for (const node of nodes) await expectWhole(fleet, node);
  });

  test('reads an image once when skopeo asks at all nodes at the same time', async () => {
    const fleet = await setUp();
    await Promise.all(fleet.nodes.map((node) => copyThrough(node, fleet.image.reference)));
    await expectOneRead(fleet);
    for (const node of fleet.nodes) await expectWhole(fleet, node);
  });

  test('knows what an index meant, and its platforms, once the registry is gone', async () => {
    const { registry, image, nodes } = await setUp({}, { platforms: ['linux/amd64', 'linux/arm64'] });
    const [one, two, three] = nodes;
    await copyThrough(one, image.reference, '--all');
    expect(await registry.blobGets()).toBe(new Set(image.platforms.flatMap(blobsOf)).size);
    await registry.stop();
    await copyThrough(two, image.reference, '--all');
    await copyThrough(three, image.reference.replace(/:latest$/, `@${image.digest}`));
  });

  test('gives a private image to who may read it, from the fleet, and tells nobody about it', async () => {
    const fleet = await setUp({ auth: true });
    const { registry, image, nodes } = fleet;
    const [one, two, three] = nodes;
    const mine = ['--src-creds', `${credentials.username}:${credentials.password}`];
    await copyThrough(one, image.reference, ...mine);
    await copyThrough(two, image.reference, ...mine);
    for (const digest of fleet.digests) expect(await registry.blobGets(digest)).toBe(1);
    await expect(copyThrough(two, image.reference)).rejects.toThrow(/unauthorized|authentication required/);
    await expect(copyThrough(three, image.reference)).rejects.toThrow(/unauthorized|authentication required/);
    await registry.stop();
    await copyThrough(two, image.reference, ...mine);
    for (const flags of [mine, []]) {
      await expect(copyThrough(three, image.reference, ...flags)).rejects.toThrow(/502/);
    }
    await expect(copyThrough(two, image.reference)).rejects.toThrow(/502/);
  });
});

describeWith(['docker-registry', 'podman', 'busybox'], 'podman behind a fleet of mirrors', () => {
  test('pulls at a node that never had the image, once the registry is gone', async () => {
    const fleet = await setUp();
    const { registry, image, nodes } = fleet;
    const [one, two] = nodes;
    const pull = async (node: MirrorNode) => {
      const podman = podmanAt(node, registry.host);
      await podman('pull', '--tls-verify=false', image.reference);
      return await podman('images', '--digests', '--no-trunc');
    };
    expect(await pull(one)).toContain(image.digest);
    await expectOneRead(fleet);
    await registry.stop();
    expect(await pull(two)).toContain(image.digest);
    await expectWhole(fleet, two);
  });
});

describeWith(['docker-registry', 'containerd', 'busybox'], 'containerd behind a fleet of mirrors', () => {
  test('pulls and unpacks at a node that never had the image, once the registry is gone', async () => {
    const fleet = await setUp();
    const { registry, image, nodes } = fleet;
    const [one, two] = nodes;
    const pull = async ({ url }: MirrorNode) => {
      const node = await startContainerd();
      node.configureHost('_default', clientConfig({ client: 'containerd', url }));
      const flags = ['--hosts-dir', node.hostsDir, '--snapshotter', 'native'];
      await node.ctr('images', 'pull', ...flags, image.reference);
      return await node.ctr('images', 'ls');
    };
    expect(await pull(one)).toContain(image.digest);
    await expectOneRead(fleet);
    await registry.stop();
    expect(await pull(two)).toContain(image.digest);
    await expectWhole(fleet, two);
  });
});
