import path from 'node:path';
import { expect, it } from 'vitest';
import { describeWith } from '../support/components.ts';
import { pushImage } from '../support/images.ts';
import { resultOf, startPull, verifyStore } from '../support/pulls.ts';
import { type RealRegistry, startRegistry } from '../support/real-registry.ts';
import { skopeo } from '../support/skopeo.ts';
import { tempDir } from '../support/temp.ts';

async function setUp(options: Parameters<typeof pushImage>[2]) {
  const registry = await startRegistry();
  const image = await pushImage(registry, 'library/busybox:latest', { busybox: true, ...options });
  await registry.clearLog();
  return { registry, image, reference: image.reference, store: path.join(tempDir(), 'store') };
}

const run = async (reference: string, store: string, ...more: string[]) =>
  resultOf(await (await startPull({ reference, store, more })).result());

const asked = async (registry: RealRegistry) =>
  (await registry.accessLog()).map((entry) => `${entry.method} ${path.basename(entry.path)} ${entry.status}`);

describeWith(['docker-registry', 'skopeo'], 'a real registry', () => {
  it.each([{ docker: false }, { docker: true }])(
    'is asked once by HEAD for an image that is there: %o',
    async ({ docker }) => {
      const { registry, reference, store } = await setUp({
        docker,
        platforms: ['linux/amd64', 'linux/arm64'],
      });
      await run(reference, store, '--platform', 'linux/amd64');
      await registry.clearLog();
      const again = await run(reference, store, '--platform', 'linux/amd64');
      expect(await asked(registry)).toEqual(['HEAD latest 200']);
      expect(again.bytesFromRegistry).toBe(0);
    },
  );

  it.each([{ docker: false }, { docker: true }])(
    'gives all platforms, which skopeo reads from the store: %o',
    async ({ docker }) => {
      const platforms = ['linux/amd64', 'linux/arm64', 'linux/arm/v7'];
      const { registry, image, reference, store } = await setUp({ docker, platforms, layers: [100_000] });
      await run(reference, store, '--all-platforms');
      const blobs = await verifyStore(store);
      expect(blobs).toContain(image.digest);
      for (const { manifestDigest, config, layers } of image.platforms) {
        expect(blobs).toEqual(expect.arrayContaining([manifestDigest, config.digest]));
        for (const { digest } of layers) expect(blobs).toContain(digest);
      }
      const shared = image.layers[0]?.digest ?? '';
      expect(await registry.blobGets(shared)).toBe(1);
      await skopeo('inspect', `oci:${store}:${reference}`);
      await skopeo('copy', `oci:${store}:${reference}`, `oci:${path.join(tempDir(), 'copy')}:x`);
    },
  );

  it('shows in a dry run what the pull then transfers', async () => {
    const { registry, reference, store } = await setUp({ layers: [100_000] });
    const dry = await (await startPull({ reference, store, more: ['--dry-run'] })).result();
    expect(dry.code, dry.stderr).toBe(0);
    const { bytesToFetch, layers } = JSON.parse(dry.stdout);
    expect(await registry.blobGets()).toBe(0);
    const result = await run(reference, store);
    expect(result.bytesFromRegistry).toBe(bytesToFetch);
    expect(result.layers.map(({ digest }) => digest)).toEqual(
      layers.map(({ digest }: { digest: string }) => digest),
    );
  });
});
