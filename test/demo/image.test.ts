import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import type { Bytes } from '../../src/demo/bytes.ts';
import { makeImage } from '../../src/demo/image.ts';

const whole = (bytes: Bytes) => Buffer.concat([...bytes.read(0, bytes.size)]);
const small = { fileBytes: [1_000, 70_000, 512] };

test('every digest and size matches its bytes', () => {
  const image = makeImage(small);
  for (const { descriptor, bytes } of [image.manifest, image.config, ...image.layers]) {
    expect(bytes.size).toBe(descriptor.size);
    expect(digestOf(whole(bytes))).toBe(descriptor.digest);
  }
});

test('the same image is made every time', () => {
  expect(makeImage(small).manifest.descriptor).toEqual(makeImage(small).manifest.descriptor);
});

test('the manifest lists config and layers, and the config the same layers as diffs', () => {
  const image = makeImage(small);
  const manifest = JSON.parse(whole(image.manifest.bytes).toString());
  const config = JSON.parse(whole(image.config.bytes).toString());
  expect(manifest.config).toEqual(image.config.descriptor);
  expect(manifest.layers).toEqual(image.layers.map((layer) => layer.descriptor));
  expect(config.rootfs.diff_ids).toEqual(image.layers.map((layer) => layer.descriptor.digest));
  expect(config).toMatchObject({ os: 'linux', architecture: 'amd64' });
});

test('by default there are five layers of tens of megabytes in all', () => {
  const image = makeImage();
  expect(image.layers).toHaveLength(5);
  expect(image.sizeBytes).toBeGreaterThan(39 * 1_048_576);
  expect(image.sizeBytes).toBeLessThan(41 * 1_048_576);
});

test('tar unpacks a layer', () => {
  const image = makeImage(small);
  const layer = image.layers[0];
  const list = spawnSync('tar', ['-tvf', '-'], { input: layer && whole(layer.bytes), encoding: 'utf8' });
  expect(list.stderr).toBe('');
  expect(list.status).toBe(0);
  expect(list.stdout).toMatch(/^-rw-r--r-- .* 1000 .* layer-1\.bin\n$/);
});
