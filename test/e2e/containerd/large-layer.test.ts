import { expect } from 'vitest';
import { openStage } from '../../support/containerd-stage.ts';
import { describeContainers } from '../../support/containers.ts';
import { pushImage } from '../../support/images.ts';
import { peakMemory } from '../../support/peak-memory.ts';
import { startRegistry } from '../../support/real-registry.ts';
import { soak } from '../../support/soak.ts';
import { soakSeconds } from '../../support/soak-seconds.ts';
import { expectReadOnce, expectRuns } from './facts.ts';

const mib = 1_048_576;
const layerBytes = (soakSeconds > 60 ? 1_024 : 256) * mib;

describeContainers('a large layer', () => {
  soak(
    `of ${layerBytes / mib} MiB comes to two nodes over one read of the registry, and not into memory`,
    async (seed) => {
      const registry = await startRegistry();
      const layers = [{ bytes: layerBytes, seed: String(seed) }];
      const image = await pushImage(registry, 'library/large', { busybox: true, layers });
      const { addNode } = await openStage('large layer');
      const nodes = [await addNode('node-a'), await addNode('node-b')];
      await Promise.all(nodes.map(({ containerd }) => containerd.pull(image.reference)));
      await expectReadOnce(registry, image);
      for (const node of nodes) {
        expect(peakMemory(node.plugin().child.pid)).toBeLessThan(250 * mib);
        await expectRuns(node, image);
      }
    },
  );
});
