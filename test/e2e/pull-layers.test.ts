import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Descriptor, mediaTypes } from '../../src/core/descriptor.ts';
import { descriptorOf, type FakeBlob, jsonBlob, madeBytes, makeBlob } from '../support/fake-registry.ts';
import {
  addManifest,
  amd64,
  arm64,
  asked,
  pull,
  pullAll,
  setUpPull,
  startUnwanted,
} from '../support/planned-pulls.ts';
import { resultOf, verifyStore } from '../support/pulls.ts';

describe('layers of every kind', () => {
  it('come with the manifest where it has their data, and cost no request', async () => {
    const { fake, store } = await setUpPull();
    const inline = makeBlob(Buffer.from('small'), 'application/vnd.acme.note');
    const layer = { ...descriptorOf(inline), data: inline.bytes.toString('base64') };
    const { reference, manifest } = addManifest(fake, 'inline', [layer]);
    const result = resultOf(await pull(reference, store));
    expect(result.layers[1]).toMatchObject({ outcome: 'present', bytes: 0 });
    expect(await verifyStore(store)).toEqual(expect.arrayContaining([inline.digest, manifest.digest]));
    expect(fake.blobGets(inline.digest)).toBe(0);
  });

  it('are refused where the data is another', async () => {
    const { fake, store } = await setUpPull();
    const inline = fake.addBlob(Buffer.from('small'));
    const layer = { ...descriptorOf(inline), data: Buffer.from('smell').toString('base64') };
    const run = await pull(addManifest(fake, 'lying', [layer]).reference, store);
    expect(run.code).toBe(6);
    expect(JSON.parse(run.stdout).error).toMatchObject({ code: 'invalid_manifest' });
    expect(existsSync(store)).toBe(false);
  });

  it.each([
    'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
    'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
  ])('of type %s come from the registry, never from their urls', async (mediaType) => {
    const { fake, store } = await setUpPull();
    const elsewhere = await startUnwanted();
    const there = fake.addBlob(madeBytes('there', 100));
    const urls = [`${elsewhere.url}/layer`, 'http://169.254.169.254/latest/meta-data'];
    const good = addManifest(fake, 'good', [{ ...descriptorOf(there), mediaType, urls } as Descriptor]);
    resultOf(await pull(good.reference, store));
    const absent = { ...descriptorOf(makeBlob(madeBytes('absent', 100), mediaType)), urls };
    const bad = addManifest(fake, 'bad', [absent]);
    const run = await pull(bad.reference, store);
    expect(run.code).toBe(3);
    expect(JSON.parse(run.stdout).error).toMatchObject({
      code: 'blob_not_found',
      message: expect.stringContaining('foreign layer'),
      hint: expect.stringContaining('not followed'),
    });
    expect(elsewhere.calls()).toBe(0);
    await elsewhere.close();
  });

  it('may be 500, and one of them many times', async () => {
    const { fake, store } = await setUpPull();
    const layers = Array.from({ length: 500 }, (_, at) =>
      descriptorOf(fake.addBlob(madeBytes(`${at}`, 100))),
    );
    const [repeated] = layers;
    if (!repeated) throw new Error('there are 500');
    const { reference } = addManifest(fake, 'tall', [...layers, ...Array(400).fill(repeated)]);
    const result = resultOf(await pull(reference, store, '--concurrency', '16'));
    expect(result.layers).toHaveLength(501);
    expect(fake.blobGets(repeated.digest)).toBe(1);
    expect(await verifyStore(store)).toHaveLength(502);
    const from = fake.requests.length;
    resultOf(await pull(reference, store));
    expect(asked(fake, from)).toEqual(['HEAD tall']);
  });

  it('may be none, or of no bytes, or of types that nobody knows, or of zstd', async () => {
    const { fake, store } = await setUpPull();
    const empty = fake.addBlob(Buffer.alloc(0));
    const types = [
      'application/vnd.oci.image.layer.v1.tar+zstd',
      'application/vnd.acme.layer',
      mediaTypes.ociIndex,
    ];
    const blobs = types.map(
      (mediaType, at): FakeBlob => ({ ...fake.addBlob(madeBytes(`t${at}`, 50)), mediaType }),
    );
    for (const [tag, layers] of Object.entries({ none: [], some: [empty, ...blobs].map(descriptorOf) })) {
      const { reference } = addManifest(fake, tag, layers);
      expect(resultOf(await pull(reference, store)).layers).toHaveLength(layers.length + 1);
    }
    expect(await verifyStore(store)).toEqual(
      expect.arrayContaining([empty, ...blobs].map(({ digest }) => digest)),
    );
  });

  it('may have sha512 digests', async () => {
    const { fake, store } = await setUpPull();
    const made = fake.addImage({ algorithm: 'sha512', platforms: [amd64, arm64] });
    const result = resultOf(await pullAll(`${fake.host}/library/app@${made.digest}`, store));
    expect(result.digest).toBe(made.digest);
    const names = readdirSync(path.join(store, 'blobs/sha512'));
    expect(names.sort()).toEqual(
      [made, ...made.manifests, ...made.manifests.map(({ config }) => config), ...made.layers]
        .map(({ digest }) => digest.slice(7))
        .sort(),
    );
  });
});

describe('an artifact', () => {
  it('is not pulled, and the error says what it is', async () => {
    const { fake, store } = await setUpPull();
    const config = fake.addBlob(Buffer.from('{}'), 'application/vnd.oci.empty.v1+json');
    const value = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      artifactType: 'application/vnd.acme.sbom',
      config: descriptorOf(config),
      layers: [descriptorOf(config)],
    };
    fake.addManifest('library/app', jsonBlob(value, mediaTypes.ociManifest), 'sbom');
    const run = await pull(`${fake.host}/library/app:sbom`, store);
    expect(run.code).toBe(6);
    expect(JSON.parse(run.stdout).error).toMatchObject({
      code: 'unsupported_manifest',
      message: expect.stringContaining('application/vnd.acme.sbom'),
    });
    expect(existsSync(store)).toBe(false);
  });
});
