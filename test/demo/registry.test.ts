import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Clock } from '../../src/core/clock.ts';
import { digestOf } from '../../src/core/digest.ts';
import { makeImage } from '../../src/demo/image.ts';
import { type Registry, startRegistry } from '../../src/demo/registry.ts';
import { createHttpClient, type HttpClient, type HttpRequest } from '../../src/http/client.ts';
import { createFakeClock } from '../support/fake-clock.ts';

const image = makeImage({ fileBytes: [200_000, 1_000] });
const [layer = image.config] = image.layers;

/** Time passes by sleeping, at once. */
function instantClock(): Clock {
  const clock = createFakeClock();
  let nowMs = 0;
  return {
    ...clock,
    now: () => nowMs,
    sleep: async (ms) => {
      nowMs += ms;
    },
  };
}

let clock: Clock;
let registry: Registry;
let client: HttpClient;

beforeEach(async () => {
  clock = instantClock();
  registry = await startRegistry({ image, clock, bytesPerSecond: 100_000 });
  client = createHttpClient({ userAgent: 'test' });
});

afterEach(async () => {
  await client.close();
  await registry.close();
});

async function fetchFrom(path: string, options: Partial<HttpRequest> = {}) {
  const response = await client.send({ method: 'GET', url: new URL(path, registry.url), ...options });
  const pieces: Uint8Array[] = [];
  for await (const piece of response.body) pieces.push(piece);
  return { status: response.status, headers: response.headers, body: Buffer.concat(pieces) };
}

const blobPath = (digest: string) => `/v2/layerpull/demo/blobs/${digest}`;

test('the base path answers 200', async () => {
  expect((await fetchFrom('/v2/')).status).toBe(200);
});

test('the manifest comes by tag and by digest', async () => {
  const { digest, mediaType, size } = image.manifest.descriptor;
  for (const name of ['latest', digest]) {
    const { status, headers, body } = await fetchFrom(`/v2/layerpull/demo/manifests/${name}`);
    expect(status).toBe(200);
    expect(headers).toMatchObject({ 'content-type': mediaType, 'docker-content-digest': digest });
    expect(headers['content-length']).toBe(String(size));
    expect(digestOf(body)).toBe(digest);
  }
});

test('a blob comes whole, and its bytes are counted', async () => {
  const { status, headers, body } = await fetchFrom(blobPath(layer.descriptor.digest));
  expect(status).toBe(200);
  expect(headers['accept-ranges']).toBe('bytes');
  expect(digestOf(body)).toBe(layer.descriptor.digest);
  expect(registry.bytesSent()).toBe(layer.descriptor.size);
  expect(registry.reads(layer.descriptor.digest)).toBe(1);
});

test('a range is answered with that part only', async () => {
  const path = blobPath(layer.descriptor.digest);
  const { body: all } = await fetchFrom(path);
  const { status, headers, body } = await fetchFrom(path, { headers: { range: 'bytes=100000-100999' } });
  expect(status).toBe(206);
  expect(headers['content-range']).toBe(`bytes 100000-100999/${layer.descriptor.size}`);
  expect(body.equals(all.subarray(100_000, 101_000))).toBe(true);
});

test('a range after the end is 416 with the size', async () => {
  const { status, headers } = await fetchFrom(blobPath(layer.descriptor.digest), {
    headers: { range: 'bytes=99999999-' },
  });
  expect(status).toBe(416);
  expect(headers['content-range']).toBe(`bytes */${layer.descriptor.size}`);
});

test('HEAD tells size and digest and sends nothing', async () => {
  const { status, headers, body } = await fetchFrom(blobPath(layer.descriptor.digest), { method: 'HEAD' });
  expect(status).toBe(200);
  expect(headers['content-length']).toBe(String(layer.descriptor.size));
  expect(headers['docker-content-digest']).toBe(layer.descriptor.digest);
  expect(body.length).toBe(0);
  expect(registry.bytesSent()).toBe(0);
  expect(registry.reads(layer.descriptor.digest)).toBe(0);
});

test.each([
  ['/v2/layerpull/demo/manifests/other', 404, 'MANIFEST_UNKNOWN'],
  [blobPath(`sha256:${'0'.repeat(64)}`), 404, 'BLOB_UNKNOWN'],
  ['/v2/library/busybox/manifests/latest', 404, 'NAME_UNKNOWN'],
  ['/elsewhere', 404, 'NAME_UNKNOWN'],
])('%s is %i %s', async (path, status, code) => {
  const answer = await fetchFrom(path);
  expect(answer.status).toBe(status);
  expect(JSON.parse(answer.body.toString()).errors[0].code).toBe(code);
});

test('what would write is refused', async () => {
  const { status, body } = await fetchFrom('/v2/layerpull/demo/blobs/uploads/', { method: 'POST' });
  expect(status).toBe(405);
  expect(JSON.parse(body.toString()).errors[0].code).toBe('UNSUPPORTED');
});

test('all connections together get the stated rate', async () => {
  const path = blobPath(layer.descriptor.digest);
  await Promise.all([fetchFrom(path), fetchFrom(path), fetchFrom(path)]);
  const seconds = clock.now() / 1_000;
  // What may pass at once at the beginning is a twentieth of a second's worth.
  expect((3 * layer.descriptor.size) / seconds).toBeLessThan(100_000 * 1.02);
});

test('closing ends a response that waits for its turn', async () => {
  const slow = createFakeClock();
  const stuck = await startRegistry({ image, clock: slow, bytesPerSecond: 1 });
  const url = new URL(blobPath(layer.descriptor.digest), stuck.url);
  const response = await client.send({ method: 'GET', url });
  const reading = (async () => {
    for await (const _ of response.body);
  })();
  await Promise.all([expect(reading).rejects.toThrow(), stuck.close()]);
  await stuck.close();
  expect(slow.pending()).toBe(0);
});
