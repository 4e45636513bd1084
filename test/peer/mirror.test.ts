import { expect, test } from 'vitest';
import { readRegistryConfig } from '../../src/config/registry.ts';
import { digestOf } from '../../src/core/digest.ts';
import { ask } from '../support/ask.ts';
import { onCleanup } from '../support/cleanup.ts';
import { on } from '../support/config.ts';
import { createFakeRegistry } from '../support/fake-registry.ts';
import { startMirror } from '../support/mirror.ts';
import { tempDir } from '../support/temp.ts';

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

test('Docker Hub is meant where nothing says which registry', async () => {
  const hub = await startFake();
  const image = hub.addImage({ repository: 'library/busybox', layers: [1_000] });
  const config = readRegistryConfig({}, on({ home: tempDir() }));
  const places = [{ scheme: 'http', host: hub.host, path: '' }] as const;
  const byRegistry = new Map([['docker.io', { places, shuffled: false }]]);
  const registry = { ...config, mirrors: { ...config.mirrors, byRegistry } };
  const mirror = await startMirror({ registry });
  for (const path of ['library/busybox', 'busybox', 'docker.io/library/busybox']) {
    const answer = await ask(`${mirror.url}/v2/${path}/manifests/latest`);
    expect([path, answer.headers.get('docker-content-digest')]).toEqual([path, image.digest]);
  }
  const containerd = await ask(`${mirror.url}/v2/library/busybox/manifests/latest?ns=docker.io`);
  expect(containerd.bytes.equals(image.manifest.bytes)).toBe(true);
  const url = `${mirror.url}/v2/library/busybox/blobs/${image.layers[0]?.digest}`;
  expect((await ask(url)).status).toBe(200);
});

test('a registry that answers HEAD badly is asked by GET', async () => {
  const registry = await startFake();
  const image = registry.addImage({ layers: [1_000] });
  registry.fault('latest', { kind: 'serverError', status: 405 });
  const mirror = await startMirror();
  const base = `${mirror.url}/v2/${registry.host}/${image.repository}`;
  const answer = await ask(`${base}/manifests/latest`);
  expect(answer.headers.get('docker-content-digest')).toBe(image.digest);
  expect((await ask(`${base}/blobs/${image.config.digest}`)).status).toBe(200);
});

test('a mirror that is its own upstream answers instead of asking itself for ever', async () => {
  const mirror = await startMirror();
  const answer = await ask(
    `${mirror.url}/v2/${mirror.host}/${mirror.host.replace(':', '_')}/app/manifests/latest`,
  );
  expect(answer.status).toBe(404);
  const own = await ask(`${mirror.url}/v2/app/manifests/latest?ns=${mirror.host}`);
  expect(own.status).toBe(404);
});

test('a schema that is not read here, and content that is wrong, are not served', async () => {
  const registry = await startFake();
  const image = registry.addImage({ layers: [1_000] });
  const mirror = await startMirror();
  const base = `${mirror.url}/v2/${registry.host}/${image.repository}`;
  registry.fault(image.digest, { kind: 'wrongDigest' }, 99);
  expect((await ask(`${base}/manifests/latest`)).status).toBe(502);
  registry.clearFaults();
  registry.fault('latest', { kind: 'schema1' });
  expect((await ask(`${base}/manifests/latest`)).status).toBe(404);
  expect((await ask(`${base}/manifests/latest`)).status).toBe(200);
});
