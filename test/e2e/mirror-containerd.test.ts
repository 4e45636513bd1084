import { expect, test } from 'vitest';
import { clientConfig } from '../../src/ui/client-config.ts';
import { describeWith } from '../support/components.ts';
import { startContainerd } from '../support/containerd.ts';
import { pushImage } from '../support/images.ts';
import { startMirror, tokenDoor } from '../support/mirror.ts';
import { startRegistry } from '../support/real-registry.ts';

describeWith(['docker-registry', 'containerd', 'busybox'], 'containerd behind a mirror', () => {
  test('pulls and unpacks an image that its registry no longer serves', async () => {
    const registry = await startRegistry();
    const image = await pushImage(registry, 'library/busybox', { busybox: true, layers: [200_000] });
    const mirror = await startMirror();
    const [one, two] = [await startContainerd(), await startContainerd()];
    for (const node of [one, two]) {
      node.configureHost('_default', clientConfig({ client: 'containerd', url: mirror.url }));
    }
    const pull = (node: typeof one) =>
      node.ctr(
        ...['images', 'pull', '--hosts-dir', node.hostsDir, '--snapshotter', 'native'],
        image.reference,
      );
    await pull(one);
    expect(await registry.blobGets()).toBe(3);
    await registry.stop();
    await pull(two);
    expect(await two.ctr('images', 'ls')).toContain(image.digest);
  });

  test('shows the token of the fleet where it is configured', async () => {
    const registry = await startRegistry();
    const image = await pushImage(registry, 'library/busybox', { busybox: true });
    const mirror = await startMirror({ door: tokenDoor('of-the-fleet') });
    const node = await startContainerd();
    const header = `[host."${mirror.url}".header]\n  Authorization = "Bearer of-the-fleet"\n`;
    node.configureHost('_default', clientConfig({ client: 'containerd', url: mirror.url }) + header);
    await node.ctr('content', 'fetch', '--hosts-dir', node.hostsDir, image.reference);
    const reads = (await registry.accessLog()).filter(({ method }) => method === 'GET');
    expect(reads).toHaveLength(3);
    for (const { userAgent } of reads) expect(userAgent).toContain('layerpull');
  });

  test('goes to the registry itself where the mirror has nothing, refuses, or does not answer', async () => {
    const registry = await startRegistry();
    const image = await pushImage(registry, 'library/busybox', { busybox: true });
    const elsewhere = await startMirror({ registries: ['registry.example'] });
    const guarded = await startMirror({ door: tokenDoor('of-the-fleet') });
    const closed = await startMirror();
    await closed.close();
    for (const { url } of [elsewhere, guarded, closed]) {
      const node = await startContainerd();
      const text = `server = "${registry.url}"\n${clientConfig({ client: 'containerd', url })}`;
      node.configureHost('_default', text);
      await registry.clearLog();
      await node.ctr('content', 'fetch', '--hosts-dir', node.hostsDir, image.reference);
      const reads = (await registry.accessLog()).filter(({ path }) => path.includes('/blobs/'));
      expect(reads).toHaveLength(2);
      for (const { userAgent } of reads) expect(userAgent).toContain('containerd');
    }
  });
});
