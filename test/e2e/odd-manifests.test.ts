import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { mediaTypes } from '../../src/core/descriptor.ts';
import { runCli } from '../support/cli.ts';
import { descriptorOf, type FakeBlob, type FakeRegistry, jsonBlob } from '../support/fake-registry.ts';
import { amd64, arm64, pull, pullAll, setUpPull } from '../support/planned-pulls.ts';
import { resultOf } from '../support/pulls.ts';
import { skopeo } from '../support/skopeo.ts';
import { tempDir } from '../support/temp.ts';

const repository = 'library/app';

function addDocument(fake: FakeRegistry, tag: string, document: { readonly mediaType: string }): FakeBlob {
  const made = jsonBlob({ schemaVersion: 2, ...document }, document.mediaType);
  fake.addManifest(repository, made, tag);
  return made;
}

async function json(store: string, command: string, ...args: string[]) {
  const done = await runCli([command, ...args, '--store', store, '--json']);
  expect(done.code, done.stdout).toBe(0);
  return JSON.parse(done.stdout);
}

describe('an image whose layers are null', () => {
  it.each([
    ['OCI', mediaTypes.ociManifest, mediaTypes.ociConfig],
    ['Docker', mediaTypes.dockerManifest, mediaTypes.dockerConfig],
  ])('has none, with the types of %s', async (_, mediaType, configType) => {
    const { fake, store } = await setUpPull();
    const rootfs = { type: 'layers', diff_ids: null };
    const config = fake.addBlob(Buffer.from(JSON.stringify({ ...amd64, rootfs })), configType);
    addDocument(fake, '1', { mediaType, ...{ config: descriptorOf(config), layers: null } });
    const reference = `${fake.host}/${repository}:1`;
    const layout = path.join(tempDir(), 'layout');
    expect(resultOf(await pull(reference, store, '--output', `oci:${layout}:1`)).layers).toHaveLength(1);
    expect(resultOf(await pull(reference, store)).layers).toMatchObject([{ outcome: 'present' }]);
    expect((await json(store, 'images')).images).toMatchObject([{ size: expect.any(Number) }]);
    expect((await json(store, 'inspect', reference)).layers).toEqual([]);
    expect((await json(store, 'verify')).problems).toEqual([]);
    expect((await json(store, 'prune')).blobs).toEqual([]);
    expect(JSON.parse(await skopeo('inspect', `oci:${layout}:1`)).Architecture).toBe('amd64');
    expect(JSON.parse(await skopeo('inspect', `oci:${store}:${reference}`)).Architecture).toBe('amd64');
    const archive = path.join(tempDir(), 'archive.tar');
    resultOf(await pull(reference, store, '--output', `docker-archive:${archive}`));
    expect(readFileSync(archive).includes('"Layers":[]')).toBe(true);
  });
});

describe('an index that names a platform twice and indexes inside of it', () => {
  it('is kept whole by prune and rm, until its last image goes', async () => {
    const { fake, store } = await setUpPull();
    const windows = { os: 'windows', architecture: 'amd64' };
    const [linux, first, second, nested, attached] = ['a', 'b', 'c', 'd', 'e'].map((tag, at) =>
      fake.addImage({ tag, layers: [1_000 + at], ...(tag === 'd' ? { platforms: [arm64] } : {}) }),
    );
    if (!linux || !first || !second || !nested?.index || !attached) throw new Error('there are five');
    const manifests = [
      { ...descriptorOf(linux.manifest), platform: amd64 },
      { ...descriptorOf(first.manifest), platform: { ...windows, 'os.version': '10.0.17763.1' } },
      { ...descriptorOf(second.manifest), platform: { ...windows, 'os.version': '10.0.20348.1' } },
      { ...descriptorOf(nested.index), platform: arm64 },
      { ...descriptorOf(attached.manifest), platform: null },
    ];
    addDocument(fake, 'odd', { mediaType: mediaTypes.ociIndex, ...{ manifests } });
    const reference = `${fake.host}/${repository}:odd`;
    resultOf(await pullAll(reference, store));
    expect((await json(store, 'prune')).blobs).toEqual([]);
    expect((await json(store, 'verify')).notes).toEqual([]);
    expect(resultOf(await pullAll(reference, store)).bytesFromRegistry).toBe(0);
    const ofSecond = [second.manifest, second.config, ...second.layers].map(({ digest }) => digest);
    const { deleted } = await json(store, 'rm', reference, '--platform', 'windows/amd64');
    expect(deleted.map(({ digest }: { digest: string }) => digest)).toEqual(expect.arrayContaining(ofSecond));
    expect((await json(store, 'verify')).problems).toEqual([]);
    await json(store, 'rm', reference);
    expect((await json(store, 'prune')).blobs).toEqual([]);
    expect((await json(store, 'verify')).blobs).toBe(0);
  });
});

describe('a manifest with annotations that are none', () => {
  it('is inspected without them', async () => {
    const { fake, store } = await setUpPull();
    const { manifest, config, layers } = fake.addImage();
    const content = { config: descriptorOf(config), layers: layers.map(descriptorOf), annotations: { a: 5 } };
    addDocument(fake, 'odd', { mediaType: manifest.mediaType, ...content });
    const reference = `${fake.host}/${repository}:odd`;
    resultOf(await pull(reference, store));
    expect(await json(store, 'inspect', reference)).toMatchObject({ annotations: {}, layers: [{}, {}, {}] });
  });
});
