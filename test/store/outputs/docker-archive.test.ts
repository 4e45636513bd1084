import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { digestHex, digestOf } from '../../../src/core/digest.ts';
import { dockerArchive } from '../../../src/store/outputs/docker-archive.ts';
import { fileTarget } from '../../../src/store/outputs/sinks.ts';
import { createFakeBlobStore, type FakeBlobStore } from '../../support/fake-blob-store.ts';
import { contentOf, readTar } from '../../support/read-tar.ts';
import { type StoredImage, smallTar, storeImage } from '../../support/stored-image.ts';
import { tempDir } from '../../support/temp.ts';
import { zstdFrame } from '../../support/zstd.ts';

const never = new AbortController().signal;
const emptyTar = Buffer.alloc(1_024);

async function archive(store: FakeBlobStore, { manifest }: StoredImage, signal = never) {
  const folder = tempDir();
  const drafts = tempDir();
  const file = path.join(folder, 'image.tar');
  const output = dockerArchive({ target: fileTarget(file), drafts, names: ['ghcr.io/owner/app:1.2'] });
  writeFileSync(file, 'what was there before');
  const left = () => ({
    drafts: readdirSync(drafts),
    folder: readdirSync(folder),
    before: readFileSync(file, 'utf8'),
  });
  try {
    const bytes = await output.write({ manifest }, store, signal);
    const tar = readFileSync(file);
    expect(bytes).toBe(tar.length);
    expect([readdirSync(drafts), readdirSync(folder)]).toEqual([[], ['image.tar']]);
    return { tar, entries: await readTar(tar) };
  } catch (error) {
    expect(left()).toEqual({ drafts: [], folder: ['image.tar'], before: 'what was there before' });
    throw error;
  }
}

describe('an archive of docker', () => {
  it('lists config, name and uncompressed layers, whatever they are packed with', async () => {
    const store = createFakeBlobStore();
    const [plain, gzipped, zstd] = [
      smallTar('a', 3_000),
      smallTar('b', 3_000),
      smallTar('c', 3_000),
    ] as const;
    const tars = [plain, gzipped, zstd];
    const members = [gzipSync(gzipped.subarray(0, 700)), gzipSync(gzipped.subarray(700))];
    const image = storeImage(store, [
      { tar: plain },
      { tar: gzipped, packed: Buffer.concat(members) },
      { tar: zstd, packed: zstdFrame(zstd) },
    ]);
    const { entries } = await archive(store, image);
    const [listed] = JSON.parse(contentOf(entries, 'manifest.json').toString());
    expect(listed).toEqual({
      Config: `${digestHex(image.config.digest)}.json`,
      RepoTags: ['ghcr.io/owner/app:1.2'],
      Layers: tars.map((tar) => `${digestHex(digestOf(tar))}.tar`),
    });
    for (const [at, name] of listed.Layers.entries()) expect(contentOf(entries, name)).toEqual(tars[at]);
    expect(digestOf(contentOf(entries, listed.Config))).toBe(image.config.digest);
  });

  it('tells older loaders of the layers by ids of their own', async () => {
    const store = createFakeBlobStore();
    const image = storeImage(store, [{}, {}], { config: { config: { Cmd: ['/bin/sh'] } } });
    const { entries } = await archive(store, image);
    const repositories = JSON.parse(contentOf(entries, 'repositories').toString());
    const top: string = repositories['ghcr.io/owner/app']['1.2'];
    const described = JSON.parse(contentOf(entries, `${top}/json`).toString());
    expect(described).toMatchObject({ id: top, architecture: 'amd64', config: { Cmd: ['/bin/sh'] } });
    const base = JSON.parse(contentOf(entries, `${described.parent}/json`).toString());
    expect(base).toEqual({ id: described.parent });
    expect(contentOf(entries, `${top}/VERSION`).toString()).toBe('1.0');
    const link = entries.find(({ name }) => name === `${top}/layer.tar`);
    expect(link).toMatchObject({
      type: 'symlink',
      linkname: `../${digestHex(image.diffIds[1] ?? image.config.digest)}.tar`,
    });
  });

  it('holds layers that are the same once', async () => {
    const store = createFakeBlobStore();
    const empty = { tar: emptyTar };
    const image = storeImage(store, [empty, {}, { ...empty, packed: gzipSync(emptyTar) }, empty]);
    const { entries } = await archive(store, image);
    const [{ Layers: names }] = JSON.parse(contentOf(entries, 'manifest.json').toString());
    expect(names).toHaveLength(4);
    expect(new Set(names).size).toBe(2);
    expect(entries.filter(({ name }) => /^[0-9a-f]+\.tar$/.test(name))).toHaveLength(2);
  });

  it('takes layers of no bytes at all', async () => {
    const store = createFakeBlobStore();
    const image = storeImage(store, [
      { tar: Buffer.alloc(0) },
      { tar: Buffer.alloc(0), packed: gzipSync('') },
    ]);
    const { entries } = await archive(store, image);
    expect(entries.find(({ name }) => name.startsWith('e3b0c442'))?.bytes).toHaveLength(0);
  });

  it('takes digests and diff ids of sha512, whose names no old tar can hold', async () => {
    const store = createFakeBlobStore();
    const algorithm = 'sha512';
    const tar = smallTar('long');
    const image = storeImage(store, [{ tar, packed: gzipSync(tar), algorithm }], { algorithm });
    const { entries } = await archive(store, image);
    expect(contentOf(entries, `${digestHex(digestOf(tar, algorithm))}.tar`)).toEqual(tar);
  });

  it('is the same for the same image with the types of docker, and each time', async () => {
    const store = createFakeBlobStore();
    const first = await archive(store, storeImage(store, [{}, {}]));
    const second = await archive(store, storeImage(store, [{}, {}], { docker: true }));
    expect(first.tar.equals(second.tar)).toBe(true);
  });

  it('takes 500 layers', async () => {
    const store = createFakeBlobStore();
    const image = storeImage(
      store,
      Array.from({ length: 500 }, () => ({})),
    );
    const { entries } = await archive(store, image);
    expect(entries.filter(({ name }) => name.endsWith('/layer.tar'))).toHaveLength(500);
  });
});

describe('an archive of docker that cannot be', () => {
  const tar = smallTar('x', 2_000);
  const wrong = digestOf(Buffer.from('something else'));

  it.each([
    ['an unpacked layer', { tar, diffId: wrong }],
    ['a packed layer', { tar, packed: gzipSync(tar), diffId: wrong }],
  ])('refuses %s that is not what the config says', async (_what, layer) => {
    const store = createFakeBlobStore();
    const message = new RegExp(`unpacks to ${digestOf(tar)}, but the config says ${wrong}`);
    await expect(archive(store, storeImage(store, [{}, layer]))).rejects.toThrow(message);
  });

  it.each([
    ['gzip that is cut off', gzipSync(tar).subarray(0, 500)],
    ['gzip with a wrong bit', gzipSync(tar).map((byte, at) => (at === 300 ? byte ^ 1 : byte))],
    ['zstd that is cut off', zstdFrame(tar).subarray(0, 500)],
  ])('refuses %s', async (_what, packed) => {
    const store = createFakeBlobStore();
    await expect(archive(store, storeImage(store, [{ tar, packed }]))).rejects.toMatchObject({
      code: 'digest_mismatch',
      retryable: false,
      message: expect.stringMatching(/is damaged (gzip|zstd)/),
    });
  });

  it('refuses a layer that may not be distributed and is not there, before anything is written', async () => {
    const store = createFakeBlobStore();
    const mediaType = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip';
    const image = storeImage(store, [{}, { mediaType, isAbsent: true }]);
    await expect(archive(store, image)).rejects.toMatchObject({
      code: 'blob_not_found',
      hint: expect.stringContaining('--output oci:'),
    });
  });

  it('refuses a config that lists another number of layers', async () => {
    const store = createFakeBlobStore();
    const config = { rootfs: { type: 'layers', diff_ids: [] } };
    await expect(archive(store, storeImage(store, [{}], { config }))).rejects.toMatchObject({
      code: 'invalid_manifest',
      message: expect.stringContaining('lists 0 layers, and its manifest 1'),
    });
  });

  it.each([['../../etc/passwd'], ['sha256:../../x'], [7]])('refuses the diff id %j', async (diffId) => {
    const store = createFakeBlobStore();
    const config = { rootfs: { type: 'layers', diff_ids: [diffId] } };
    await expect(archive(store, storeImage(store, [{}], { config }))).rejects.toMatchObject({
      code: 'invalid_manifest',
    });
  });

  it('has no file that SIGKILL could leave behind while a layer is unpacked', async () => {
    const store = createFakeBlobStore();
    const { manifest, layers } = storeImage(store, [{ tar, packed: gzipSync(tar) }]);
    const drafts = tempDir();
    const seen: string[][] = [];
    const watching: FakeBlobStore = {
      ...store,
      open: async (digest, range) => {
        if (digest === layers[0]?.digest) seen.push(readdirSync(drafts));
        return await store.open(digest, range);
      },
    };
    const target = fileTarget(path.join(tempDir(), 'image.tar'));
    await dockerArchive({ target, drafts, names: [] }).write({ manifest }, watching, never);
    expect(seen).toEqual([[], []]);
  });

  it('leaves nothing behind when it is interrupted inside of a layer', async () => {
    const store = createFakeBlobStore();
    const image = storeImage(store, [{}, { tar, packed: gzipSync(tar) }]);
    const controller = new AbortController();
    const reason = new Error('Ctrl-C');
    const { open } = store;
    const interrupting: FakeBlobStore = {
      ...store,
      open: async (digest, range) => {
        if (digest === image.layers[1]?.digest) controller.abort(reason);
        return await open(digest, range);
      },
    };
    await expect(archive(interrupting, image, controller.signal)).rejects.toBe(reason);
  });
});
