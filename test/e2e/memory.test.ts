import path from 'node:path';
import { expect, it } from 'vitest';
import { describeWith } from '../support/components.ts';
import { startGateProxy } from '../support/gate-proxy.ts';
import { pushImage } from '../support/images.ts';
import { peakMemory } from '../support/peak-memory.ts';
import { resultOf, startPull } from '../support/pulls.ts';
import { startRegistry } from '../support/real-registry.ts';
import { tempDir } from '../support/temp.ts';

const mib = 1_048_576;

/** Pulls an image with one layer of this size and measures the process just before its last bytes arrive. */
async function peakOfPull(layerBytes: number): Promise<number> {
  const registry = await startRegistry();
  const image = await pushImage(registry, 'team/big', { layers: [layerBytes] });
  const gate = await startGateProxy(registry);
  gate.shut(layerBytes - mib);
  const reference = `${gate.host}/team/big`;
  const pull = await startPull({ reference, store: path.join(tempDir(), 'store') });
  await gate.waiting(1);
  const peak = peakMemory(pull.pid);
  gate.open();
  expect(resultOf(await pull.result()).bytesFromRegistry).toBeGreaterThanOrEqual(layerBytes);
  expect(image.layers).toHaveLength(1);
  return peak;
}

describeWith(['docker-registry'], 'the memory of a pull', () => {
  it('does not depend on the size of a layer', {
    timeout: 240_000,
    skip: process.platform !== 'linux',
  }, async () => {
    const small = await peakOfPull(32 * mib);
    const large = await peakOfPull(1_024 * mib);
    expect(large).toBeLessThan(small + 64 * mib);
    expect(large).toBeLessThan(200 * mib);
  });
});
