import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeWith } from '../support/components.ts';
import { pushImage } from '../support/images.ts';
import { resultOf, startPull } from '../support/pulls.ts';
import { startRegistry } from '../support/real-registry.ts';
import { skopeo } from '../support/skopeo.ts';
import { tempDir } from '../support/temp.ts';
import { umoci } from '../support/umoci.ts';

describeWith(['docker-registry', 'skopeo', 'umoci'], 'a store read by other tools', () => {
  describe.each([{ docker: false }, { docker: true }])('with two platforms of one name, %o', (form) => {
    it('gives the one that was pulled last', async () => {
      const registry = await startRegistry();
      const platforms = ['linux/amd64', 'linux/arm64'];
      const image = await pushImage(registry, 'library/both:1', { layers: [20_000], platforms, ...form });
      const store = path.join(tempDir(), 'store');
      for (const platform of platforms) {
        const pull = await startPull({ reference: image.reference, store, more: ['--platform', platform] });
        resultOf(await pull.result());
      }
      const name = `${store}:${image.reference}`;
      expect(JSON.parse(await skopeo('inspect', `oci:${name}`)).Architecture).toBe('arm64');
      await skopeo('copy', `oci:${name}`, `oci:${path.join(tempDir(), 'elsewhere')}`);
      await umoci('unpack', '--rootless', '--image', name, path.join(tempDir(), 'bundle'));
    });
  });
});
