import { describe, expect } from 'vitest';
import { madeBytes } from '../support/fake-registry.ts';
import { amd64, arm64, setUpPull } from '../support/planned-pulls.ts';
import { randomFrom, soak } from '../support/soak.ts';
import { expectWholeImages, runChaos } from '../support/store-chaos.ts';
import { blobsIn, namesIn } from '../support/whole-store.ts';

const shared = madeBytes('shared', 60_000);
const base = madeBytes('base', 20_000);

describe('pulls, removals and prunes of one store at once, some of them killed', () => {
  soak('lose no image and no blob that one needs', async (seed) => {
    const { fake, store } = await setUpPull();
    const images = [
      fake.addImage({ repository: 'team/one', layers: [shared, base, 1_000] }),
      fake.addImage({ repository: 'team/two', layers: [base, 2_000], docker: true }),
      fake.addImage({ repository: 'team/three', layers: [shared, 3_000], platforms: [amd64, arm64] }),
    ];
    await runChaos({ registry: fake, store, images, random: randomFrom(seed), lines: 4, steps: 5 });
    expect([...namesIn(store, 'trash'), ...namesIn(store, 'references')]).toEqual([]);
    await expectWholeImages({ store, images });
    expect(blobsIn(store).length).toBeGreaterThan(0);
  });
});
