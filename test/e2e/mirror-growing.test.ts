import { once } from 'node:events';
import http from 'node:http';
import { expect, test } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import { ask } from '../support/ask.ts';
import { onCleanup } from '../support/cleanup.ts';
import { createFakeRegistry } from '../support/fake-registry.ts';
import { startMirror } from '../support/mirror.ts';

test('clients of a mirror get the bytes of a layer while it is still being downloaded, and it is downloaded once', async () => {
  const registry = await createFakeRegistry();
  onCleanup(() => registry.close());
  const image = registry.addImage({ layers: [3_000_000] });
  const digest = image.layers[0]?.digest ?? digestOf(Buffer.alloc(0));
  const mirror = await startMirror();
  const base = `${mirror.url}/v2/${registry.host}/${image.repository}`;
  await ask(`${base}/manifests/latest`);
  const gate = registry.hold(digest, 1_000_000);
  const begin = async (range?: string) => {
    const request = http.get(`${base}/blobs/${digest}`, { headers: range === undefined ? {} : { range } });
    const [response] = await once(request, 'response');
    return response;
  };
  const [one, two] = [await begin(), await begin('bytes=500000-')];
  expect([one.statusCode, two.statusCode]).toEqual([200, 206]);
  let early = 0;
  const pieces: Buffer[] = [];
  for await (const piece of one) {
    pieces.push(piece);
    early += piece.length;
    if (early >= 1_000_000) gate.release();
  }
  expect(early).toBe(3_000_000);
  expect(digestOf(Buffer.concat(pieces))).toBe(digest);
  const rest = Buffer.concat(await two.toArray());
  expect(image.layers[0]?.bytes.subarray(500_000).equals(rest)).toBe(true);
  expect(registry.blobGets(digest)).toBe(1);
});
