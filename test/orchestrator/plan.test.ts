import { describe, expect, it } from 'vitest';
import { planPull } from '../../src/orchestrator/plan.ts';
import { blobOf } from '../support/blobs.ts';

const config = blobOf('{}');
const layer = blobOf('a layer');

describe('the pull plan', () => {
  it('brings the config first and then the layers in order', () => {
    const second = blobOf('another layer');
    expect(planPull({ manifests: [{ config, layers: [layer, second] }] }).blobs).toEqual([
      config,
      layer,
      second,
    ]);
  });

  it('lists a layer once that the manifest lists twice', () => {
    const plan = planPull({ manifests: [{ config, layers: [layer, layer] }] });
    expect(plan.blobs).toEqual([config, layer]);
    expect(plan.totalBytes).toBe(config.size + layer.size);
  });

  it('refuses one digest with two sizes', () => {
    const lying = { ...layer, size: layer.size + 1 };
    expect(() => planPull({ manifests: [{ config, layers: [layer, lying] }] })).toThrow(
      /lists .* with 7 and with 8 bytes/,
    );
  });
});
