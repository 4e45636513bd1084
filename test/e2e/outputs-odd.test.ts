import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { mediaTypes } from '../../src/core/descriptor.ts';
import { dockerArchive } from '../../src/store/outputs/docker-archive.ts';
import type { ImageOutput } from '../../src/store/outputs/image-output.ts';
import { ociArchive } from '../../src/store/outputs/oci-archive.ts';
import { ociDirectory } from '../../src/store/outputs/oci-directory.ts';
import { fileTarget } from '../../src/store/outputs/sinks.ts';
import { describeWith } from '../support/components.ts';
import { createFakeBlobStore } from '../support/fake-blob-store.ts';
import { openPodman } from '../support/podman.ts';
import { skopeo } from '../support/skopeo.ts';
import { smallTar, storeImage, storeIndex } from '../support/stored-image.ts';
import { tempDir } from '../support/temp.ts';
import { zstdFrame } from '../support/zstd.ts';

const never = new AbortController().signal;
const name = 'localhost/odd:1';

/** Each form into a file or folder of its own. */
const forms: readonly (readonly [string, (place: string) => ImageOutput])[] = [
  ['oci', (folder) => ociDirectory({ folder, tag: 'odd', clock: systemClock })],
  ['oci-archive', (file) => ociArchive({ target: fileTarget(file), tag: 'odd' })],
  ['docker-archive', (file) => dockerArchive({ target: fileTarget(file), drafts: tempDir(), names: [name] })],
];

/** Has skopeo bring the output into a layout of its own, and answers the image's layers as it sees them there. */
async function layersBySkopeo(source: string): Promise<string[]> {
  const target = `oci:${path.join(tempDir(), 'copy')}:odd`;
  await skopeo('copy', source, target);
  const config = JSON.parse(await skopeo('inspect', '--config', target));
  return config.rootfs.diff_ids;
}

describeWith(['skopeo', 'podman'], 'odd images read by other tools', () => {
  it.each(forms)(
    'skopeo reads layers of every compression, of no content, and many of them out of %s:',
    async (kind, output) => {
      const store = createFakeBlobStore();
      const [gzipped, zstd, empty] = [smallTar('gzip'), smallTar('zstd'), Buffer.alloc(1_024)] as const;
      const image = storeImage(store, [
        { tar: gzipped, packed: gzipSync(gzipped), mediaType: mediaTypes.ociLayerGzip },
        { tar: zstd, packed: zstdFrame(zstd), mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd' },
        { tar: empty, packed: gzipSync(empty), mediaType: mediaTypes.ociLayerGzip },
        { tar: empty },
        ...Array.from({ length: 200 }, () => ({})),
      ]);
      const place = path.join(tempDir(), 'out');
      await output(place).write(image, store, never);
      const source = kind === 'docker-archive' ? `${kind}:${place}` : `${kind}:${place}:odd`;
      expect(await layersBySkopeo(source)).toEqual(image.diffIds);
    },
  );

  it('podman loads 60 layers out of an archive of docker', async () => {
    const store = createFakeBlobStore();
    const image = storeImage(
      store,
      Array.from({ length: 60 }, () => ({})),
    );
    const file = path.join(tempDir(), 'many.tar');
    await dockerArchive({ target: fileTarget(file), drafts: tempDir(), names: [name] }).write(
      image,
      store,
      never,
    );
    const podman = openPodman();
    await podman('load', '--input', file);
    const [loaded] = JSON.parse(await podman('image', 'inspect', name));
    expect(loaded.RootFS.Layers).toEqual(image.diffIds);
    expect(`sha256:${loaded.Id}`).toBe(image.config.digest);
  });

  it('skopeo reads diff ids of sha512 out of an archive of docker, whose names need a longer header', async () => {
    const store = createFakeBlobStore();
    const tar = smallTar('long');
    const image = storeImage(store, [{ tar, packed: gzipSync(tar), algorithm: 'sha512' }]);
    const file = path.join(tempDir(), 'long.tar');
    await dockerArchive({ target: fileTarget(file), drafts: tempDir(), names: [name] }).write(
      image,
      store,
      never,
    );
    expect(await layersBySkopeo(`docker-archive:${file}`)).toEqual(image.diffIds);
  });

  it.each([{ docker: false }, { docker: true }])(
    'skopeo copies all platforms of an index, %o',
    async ({ docker }) => {
      const store = createFakeBlobStore();
      const platforms = ['amd64', 'arm64'].map((architecture) => ({ os: 'linux', architecture }));
      const images = platforms.map((platform) => ({
        ...storeImage(store, [{}], { platform, docker }).manifest,
        platform,
      }));
      const index = storeIndex(store, images, docker ? mediaTypes.dockerManifestList : mediaTypes.ociIndex);
      const folder = path.join(tempDir(), 'all');
      const output = ociDirectory({ folder, tag: 'all', clock: systemClock });
      await output.write({ manifest: images[0] ?? index, index }, store, never);
      const copy = path.join(tempDir(), 'copy');
      await skopeo('copy', '--all', `oci:${folder}:all`, `oci:${copy}:all`);
      for (const { architecture } of platforms) {
        const config = await skopeo(
          '--override-arch',
          architecture,
          'inspect',
          '--config',
          `oci:${copy}:all`,
        );
        expect(JSON.parse(config).architecture).toBe(architecture);
      }
    },
  );
});
