import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { mediaTypes } from '../../../src/core/descriptor.ts';
import { type Digest, digestAlgorithm, digestHex, digestOf } from '../../../src/core/digest.ts';
import type { OutputImage } from '../../../src/store/outputs/image-output.ts';
import { ociArchive } from '../../../src/store/outputs/oci-archive.ts';
import { ociDirectory } from '../../../src/store/outputs/oci-directory.ts';
import { fileTarget } from '../../../src/store/outputs/sinks.ts';
import { createFakeBlobStore, type FakeBlobStore } from '../../support/fake-blob-store.ts';
import { contentOf, readTar } from '../../support/read-tar.ts';
import { storeImage, storeIndex } from '../../support/stored-image.ts';
import { tempDir } from '../../support/temp.ts';

const freshSignal = () => new AbortController().signal;
const never = freshSignal();
const clock = systemClock;
const refName = 'org.opencontainers.image.ref.name';

const write = (
  folder: string,
  tag: string | undefined,
  image: OutputImage,
  store: FakeBlobStore,
  signal = never,
) => ociDirectory({ folder, tag, clock }).write(image, store, signal);

const indexOf = (folder: string) => JSON.parse(readFileSync(path.join(folder, 'index.json'), 'utf8'));
const tagsOf = (folder: string): Record<string, Digest> =>
  Object.fromEntries(
    indexOf(folder).manifests.map((entry: { digest: Digest; annotations?: Record<string, string> }) => [
      entry.annotations?.[refName] ?? '-',
      entry.digest,
    ]),
  );

function blobOf(folder: string, digest: Digest): Buffer {
  return readFileSync(path.join(folder, 'blobs', digestAlgorithm(digest), digestHex(digest)));
}

describe('a folder as output', () => {
  it('becomes a layout with the manifest, the config and the layers as they are', async () => {
    const store = createFakeBlobStore();
    const image = storeImage(store, [{}, { algorithm: 'sha512' }], { algorithm: 'sha512' });
    const folder = path.join(tempDir(), 'a', 'b');
    const bytes = await write(folder, 'v1', image, store);
    expect(readdirSync(folder).sort()).toEqual(['blobs', 'index.json', 'oci-layout']);
    expect(JSON.parse(readFileSync(path.join(folder, 'oci-layout'), 'utf8'))).toEqual({
      imageLayoutVersion: '1.0.0',
    });
    const { schemaVersion, mediaType, manifests } = indexOf(folder);
    expect({ schemaVersion, mediaType }).toEqual({ schemaVersion: 2, mediaType: mediaTypes.ociIndex });
    expect(manifests).toEqual([{ ...image.manifest, annotations: { [refName]: 'v1' } }]);
    const blobs = [image.manifest, image.config, ...image.layers];
    for (const { digest } of blobs)
      expect(digestOf(blobOf(folder, digest), digestAlgorithm(digest))).toBe(digest);
    expect(bytes).toBe(blobs.reduce((sum, { size }) => sum + size, 0));
  });

  it('keeps all images of a layout that is there, and writes only what it lacks', async () => {
    const store = createFakeBlobStore();
    const folder = tempDir();
    const [first, second] = [storeImage(store, [{}]), storeImage(store, [{}, {}])];
    await write(folder, 'first', first, store);
    const bytes = await write(folder, 'second', second, store);
    expect(bytes).toBe(second.manifest.size + second.config.size + (second.layers[1]?.size ?? 0));
    expect(tagsOf(folder)).toEqual({ first: first.manifest.digest, second: second.manifest.digest });
    expect(await write(folder, 'second', second, store)).toBe(second.manifest.size);
  });

  it('gives a tag to the new image, and keeps the fields and entries of others', async () => {
    const store = createFakeBlobStore();
    const folder = tempDir();
    const [old, young] = [storeImage(store, [{}]), storeImage(store, [{}, {}])];
    await write(folder, 'v1', old, store);
    const other = {
      mediaType: 'x/y',
      digest: `sha256:${'0'.repeat(64)}`,
      size: 3,
      annotations: { theirs: 'yes' },
    };
    const index = indexOf(folder);
    index.annotations = { kept: 'yes' };
    index.manifests.push(other);
    writeFileSync(path.join(folder, 'index.json'), JSON.stringify(index));
    await write(folder, 'v1', young, store);
    expect(indexOf(folder)).toEqual({
      ...index,
      manifests: [other, { ...young.manifest, annotations: { [refName]: 'v1' } }],
    });
  });

  it('lists an image without a tag once', async () => {
    const store = createFakeBlobStore();
    const folder = tempDir();
    const image = storeImage(store, [{}]);
    await write(folder, undefined, image, store);
    await write(folder, undefined, image, store);
    await write(folder, 'v1', image, store);
    expect(indexOf(folder).manifests).toEqual([
      image.manifest,
      { ...image.manifest, annotations: { [refName]: 'v1' } },
    ]);
  });

  it('loses no image when many are written at once', async () => {
    const store = createFakeBlobStore();
    const folder = path.join(tempDir(), 'shared');
    const images = Array.from({ length: 12 }, (_, at) =>
      storeImage(store, [{}], { config: { author: `${at}` } }),
    );
    await Promise.all(images.map((image, at) => write(folder, `v${at}`, image, store, freshSignal())));
    expect(tagsOf(folder)).toEqual(
      Object.fromEntries(images.map((image, at) => [`v${at}`, image.manifest.digest])),
    );
  });

  it.each([
    [
      'with other files',
      (folder: string) => writeFileSync(path.join(folder, 'notes.txt'), ''),
      /holds other files/,
    ],
    ['of another layout version', (folder: string) => marker(folder, '2.0.0'), /is not one of version 1/],
    [
      'with a damaged marker',
      (folder: string) => writeFileSync(path.join(folder, 'oci-layout'), '{'),
      /version 1/,
    ],
    ['with a damaged index', damagedIndex, /index.json is damaged/],
    [
      'that is a store',
      (folder: string) => writeFileSync(path.join(folder, 'layerpull.json'), '{}'),
      /content store/,
    ],
  ])('refuses a folder %s, and changes nothing', async (_what, prepare, message) => {
    const store = createFakeBlobStore();
    const folder = tempDir();
    prepare(folder);
    const before = readdirSync(folder);
    const output = ociDirectory({ folder, tag: 'v1', clock });
    const image = storeImage(store, [{}]);
    for (const attempt of [() => output.check(), () => output.write(image, store, never)]) {
      const failure = { code: 'output_failed', message: expect.stringMatching(message) };
      await expect(attempt()).rejects.toMatchObject(failure);
    }
    expect(readdirSync(folder)).toEqual(before);
  });

  it('loses no image to others that fail and take away what they had made', async () => {
    const store = createFakeBlobStore();
    const spoilt = storeImage(store, [{}], { config: { author: 'nobody' } });
    store.blobs.set(spoilt.config.digest, Buffer.alloc(spoilt.config.size));
    const images = Array.from({ length: 6 }, (_, at) =>
      storeImage(store, [{}], { config: { author: `${at}` } }),
    );
    for (let round = 0; round < 20; round += 1) {
      const folder = path.join(tempDir(), 'a', 'b');
      const failing = images.map(() =>
        expect(write(folder, 'x', spoilt, store, freshSignal())).rejects.toThrow(),
      );
      await Promise.all([
        ...failing,
        ...images.map((image, at) => write(folder, `v${at}`, image, store, freshSignal())),
      ]);
      expect(indexOf(folder).manifests).toHaveLength(images.length);
      expect(readdirSync(folder).sort()).toEqual(['blobs', 'index.json', 'oci-layout']);
    }
  });

  it('takes a folder in which another pull is about to make a layout', async () => {
    const store = createFakeBlobStore();
    const folder = tempDir();
    mkdirSync(path.join(folder, '.layerpull-1'));
    writeFileSync(path.join(folder, '.draft-1'), '');
    const image = storeImage(store, [{}]);
    await write(folder, 'v1', image, store);
    expect(tagsOf(folder)).toEqual({ v1: image.manifest.digest });
  });

  it('refuses a file in its place', async () => {
    const file = path.join(tempDir(), 'file');
    writeFileSync(file, '');
    await expect(ociDirectory({ folder: file, tag: undefined, clock }).check()).rejects.toMatchObject({
      code: 'output_failed',
    });
  });

  it('leaves nothing of an image that it could not write, not even the folders above', async () => {
    const store = createFakeBlobStore();
    const parent = tempDir();
    const image = storeImage(store, [{}, {}]);
    const spoilt = Buffer.alloc(image.layers[1]?.size ?? 0);
    for (const { digest } of image.layers.slice(1)) store.blobs.set(digest, spoilt);
    await expect(write(path.join(parent, 'a', 'b'), 'v1', image, store)).rejects.toMatchObject({
      code: 'digest_mismatch',
      origin: 'store',
    });
    expect(readdirSync(parent)).toEqual([]);
  });

  it('leaves a layout as it was when it is interrupted', async () => {
    const store = createFakeBlobStore();
    const folder = tempDir();
    await write(folder, 'v1', storeImage(store, [{}]), store);
    const before = [readdirSync(folder), readdirSync(path.join(folder, 'blobs', 'sha256')), indexOf(folder)];
    const image = storeImage(store, [{}, {}, {}]);
    const controller = new AbortController();
    const reason = new Error('Ctrl-C');
    const { open } = store;
    const interrupting: FakeBlobStore = {
      ...store,
      open: async (digest, range) => {
        if (digest === image.layers[2]?.digest) controller.abort(reason);
        return await open(digest, range);
      },
    };
    await expect(write(folder, 'v1', image, interrupting, controller.signal)).rejects.toBe(reason);
    expect([readdirSync(folder), readdirSync(path.join(folder, 'blobs', 'sha256')), indexOf(folder)]).toEqual(
      before,
    );
  });
});

describe('what goes into a layout', () => {
  const platforms = [
    { os: 'linux', architecture: 'amd64' },
    { os: 'linux', architecture: 'arm64' },
  ];

  it('is the index as it is, with all its manifests', async () => {
    const store = createFakeBlobStore();
    const images = platforms.map((platform) => storeImage(store, [{}], { platform }));
    const entries = images.map(({ manifest }, at) => ({ ...manifest, ...platformAt(at) }));
    const index = storeIndex(store, entries);
    const folder = tempDir();
    await write(folder, 'all', { manifest: entries[0] ?? index, index }, store);
    expect(tagsOf(folder)).toEqual({ all: index.digest });
    for (const { digest } of [index, ...images.flatMap(({ manifest, config }) => [manifest, config])]) {
      expect(digestOf(blobOf(folder, digest))).toBe(digest);
    }
  });

  it('gets the types of OCI throughout, where it came with those of docker', async () => {
    const store = createFakeBlobStore();
    const images = platforms.map((platform) => storeImage(store, [{}], { platform, docker: true }));
    const entries = images.map(({ manifest }, at) => ({ ...manifest, ...platformAt(at) }));
    const index = storeIndex(store, entries, mediaTypes.dockerManifestList);
    const folder = tempDir();
    await write(folder, 'all', { manifest: entries[0] ?? index, index }, store);
    const written = JSON.parse(blobOf(folder, tagsOf(folder)['all'] ?? index.digest).toString());
    expect(written.mediaType).toBe(mediaTypes.ociIndex);
    expect(written.manifests.map((entry: { platform: object }) => entry.platform)).toEqual(platforms);
    for (const { digest, mediaType } of written.manifests) {
      expect(mediaType).toBe(mediaTypes.ociManifest);
      expect(blobOf(folder, digest).toString()).not.toContain('docker');
    }
  });

  it.each([
    ['attestation', { platform: { os: 'unknown', architecture: 'unknown' } }],
    ['other content', { mediaType: 'application/vnd.example.notes' }],
  ])('is an index with its %s where that was pulled, and else without', async (what, fields) => {
    const store = createFakeBlobStore();
    const { manifest } = storeImage(store, [{}]);
    const beside = storeImage(store, [], { config: { what } }).manifest;
    const index = storeIndex(store, [
      { ...manifest, ...platformAt(0) },
      { ...beside, ...fields },
    ]);
    const [withIt, without] = [tempDir(), tempDir()];
    await write(withIt, 'all', { manifest, index }, store);
    expect(digestOf(blobOf(withIt, beside.digest))).toBe(beside.digest);
    store.blobs.delete(beside.digest);
    await write(without, 'all', { manifest, index }, store);
    expect(tagsOf(without)).toEqual({ all: index.digest });
    expect(() => blobOf(without, beside.digest)).toThrow();
  });

  it('is not an index of which a platform is missing', async () => {
    const store = createFakeBlobStore();
    const { manifest } = storeImage(store, [{}]);
    const lost = { ...manifest, digest: digestOf(Buffer.from('lost')), ...platformAt(1) };
    const index = storeIndex(store, [{ ...manifest, ...platformAt(0) }, lost]);
    await expect(write(tempDir(), 'all', { manifest, index }, store)).rejects.toMatchObject({
      code: 'blob_not_found',
    });
  });

  it('ends with indexes inside of indexes', async () => {
    const store = createFakeBlobStore();
    const { manifest } = storeImage(store, [{}]);
    const index = [1, 2, 3, 4, 5].reduce((inner) => storeIndex(store, [inner]), manifest);
    await expect(write(tempDir(), 'all', { manifest, index }, store)).rejects.toMatchObject({
      code: 'invalid_manifest',
    });
  });

  it('lacks layers that may not be distributed and are not there, and no other', async () => {
    const store = createFakeBlobStore();
    const foreign = {
      mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
      isAbsent: true,
    };
    const folder = tempDir();
    const image = storeImage(store, [{}, foreign]);
    await write(folder, 'v1', image, store);
    expect(tagsOf(folder)).toEqual({ v1: image.manifest.digest });
    await expect(write(folder, 'v2', storeImage(store, [{ isAbsent: true }]), store)).rejects.toMatchObject({
      code: 'blob_not_found',
    });
  });

  it('is never a manifest that is none', async () => {
    const store = createFakeBlobStore();
    const bytes = Buffer.from('{"config":{"digest":"../../x","size":1,"mediaType":"x"},"layers":[]}');
    const manifest = { mediaType: mediaTypes.ociManifest, digest: digestOf(bytes), size: bytes.length };
    store.blobs.set(manifest.digest, bytes);
    await expect(write(tempDir(), 'v1', { manifest }, store)).rejects.toMatchObject({
      code: 'invalid_manifest',
    });
  });

  function platformAt(at: number) {
    const platform = platforms[at];
    return platform ? { platform } : {};
  }
});

describe('an OCI archive', () => {
  it('is the layout as a tar', async () => {
    const store = createFakeBlobStore();
    const image = storeImage(store, [{}, {}, {}]);
    const file = path.join(tempDir(), 'image.tar');
    const bytes = await ociArchive({ target: fileTarget(file), tag: 'v1' }).write(image, store, never);
    const tar = readFileSync(file);
    expect(bytes).toBe(tar.length);
    const entries = await readTar(tar);
    const index = JSON.parse(contentOf(entries, 'index.json').toString());
    expect(index.manifests).toEqual([{ ...image.manifest, annotations: { [refName]: 'v1' } }]);
    for (const { digest } of [image.manifest, image.config, ...image.layers]) {
      expect(digestOf(contentOf(entries, `blobs/sha256/${digestHex(digest)}`))).toBe(digest);
    }
    expect(entries.filter(({ type }) => type === 'directory').map(({ name }) => name)).toEqual([
      'blobs/',
      'blobs/sha256/',
    ]);
  });

  it('follows a link, and replaces what is behind it once it is whole', async () => {
    const store = createFakeBlobStore();
    const folder = tempDir();
    const real = path.join(folder, 'real.tar');
    writeFileSync(real, 'before');
    symlinkSync(real, path.join(folder, 'link.tar'));
    const output = ociArchive({ target: fileTarget(path.join(folder, 'link.tar')), tag: undefined });
    const { manifest, layers } = storeImage(store, [{}]);
    const kept = new Map(store.blobs);
    for (const { digest, size } of layers) store.blobs.set(digest, Buffer.alloc(size));
    await expect(output.write({ manifest }, store, never)).rejects.toMatchObject({ code: 'digest_mismatch' });
    expect(readFileSync(real, 'utf8')).toBe('before');
    for (const [digest, bytes] of kept) store.blobs.set(digest, bytes);
    await output.write({ manifest }, store, never);
    expect(await readTar(readFileSync(real))).not.toHaveLength(0);
    expect(readdirSync(folder).sort()).toEqual(['link.tar', 'real.tar']);
  });

  it.each([
    ['a folder', (folder: string) => folder, /is a folder/],
    ['a device', () => '/dev/null', /is not a file/],
    [
      'a file in a folder that is not there',
      (folder: string) => path.join(folder, 'no', 'x.tar'),
      /does not exist/,
    ],
    ['a file below a file', (folder: string) => path.join(below(folder), 'x.tar'), /is not a folder/],
  ])('refuses %s before anything is pulled', async (_what, place, message) => {
    const { check } = ociArchive({ target: fileTarget(place(tempDir())), tag: undefined });
    await expect(check()).rejects.toMatchObject({
      code: 'output_failed',
      message: expect.stringMatching(message),
    });
  });
});

function marker(folder: string, imageLayoutVersion: string): void {
  writeFileSync(path.join(folder, 'oci-layout'), JSON.stringify({ imageLayoutVersion }));
}

function damagedIndex(folder: string): void {
  marker(folder, '1.0.0');
  writeFileSync(path.join(folder, 'index.json'), '{ "manifests": 3 }');
}

function below(folder: string): string {
  mkdirSync(path.join(folder, 'sub'));
  const file = path.join(folder, 'sub', 'file');
  writeFileSync(file, '');
  return file;
}
