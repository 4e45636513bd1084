import { expect, test } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import { ask } from '../support/ask.ts';
import { onCleanup } from '../support/cleanup.ts';
import { createFakeRegistry } from '../support/fake-registry.ts';
import { startMirror } from '../support/mirror.ts';

async function startFake() {
  const registry = await createFakeRegistry();
  onCleanup(() => registry.close());
  return registry;
}

test('a whole image is read through the mirror, and its layers come from the registry once', async () => {
  const registry = await startFake();
  const image = registry.addImage({ layers: [300_000, 20_000] });
  const mirror = await startMirror();
  const base = `${mirror.url}/v2/${registry.host}/${image.repository}`;
  for (let round = 0; round < 2; round += 1) {
    const head = await ask(`${base}/manifests/${image.tag}`, { method: 'HEAD' });
    expect(head.status).toBe(200);
    expect(head.headers.get('docker-content-digest')).toBe(image.digest);
    expect(head.headers.get('content-length')).toBe(`${image.manifest.size}`);
    expect(head.headers.get('content-type')).toBe(image.manifest.mediaType);
    const manifest = await ask(`${base}/manifests/${image.tag}`);
    expect(manifest.bytes).toEqual(image.manifest.bytes);
    for (const layer of image.layers) {
      const blob = await ask(`${base}/blobs/${layer.digest}`);
      expect(blob.status).toBe(200);
      expect(digestOf(blob.bytes)).toBe(layer.digest);
    }
  }
  for (const layer of image.layers) expect(registry.blobGets(layer.digest)).toBe(1);
  expect(registry.manifestGets(image.digest)).toBe(1);
});

test('ranges and HEAD of a blob are answered as the distribution API says', async () => {
  const registry = await startFake();
  const image = registry.addImage({ layers: [10_000] });
  const mirror = await startMirror();
  const base = `${mirror.url}/v2/${registry.host}/${image.repository}`;
  await ask(`${base}/manifests/latest`);
  const url = `${base}/blobs/${image.layers[0]?.digest}`;
  const bytes = image.layers[0]?.bytes ?? Buffer.alloc(0);
  const head = await ask(url, { method: 'HEAD' });
  expect([head.status, head.headers.get('content-length')]).toEqual([200, '10000']);
  expect(registry.blobGets(image.layers[0]?.digest ?? '')).toBe(0);
  const part = await ask(url, { headers: { range: 'bytes=100-199' } });
  expect([part.status, part.headers.get('content-range')]).toEqual([206, 'bytes 100-199/10000']);
  expect(part.bytes).toEqual(bytes.subarray(100, 200));
  const rest = await ask(url, { headers: { range: 'bytes=9000-' } });
  expect(rest.bytes).toEqual(bytes.subarray(9_000));
  const last = await ask(url, { headers: { range: 'bytes=-10' } });
  expect(last.bytes).toEqual(bytes.subarray(-10));
  const none = await ask(url, { headers: { range: 'bytes=10000-' } });
  expect([none.status, none.headers.get('content-range')]).toEqual([416, 'bytes */10000']);
  for (const odd of ['bytes=5-1', 'bytes=0-1,5-6', 'lines=1-2', 'bytes=-', 'bytes=x-y']) {
    expect((await ask(url, { headers: { range: odd } })).bytes).toEqual(bytes);
  }
});
