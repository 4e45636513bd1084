import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type Descriptor, mediaTypes, type Platform } from '../../src/core/descriptor.ts';
import { runCli } from '../support/cli.ts';
import {
  createFakeRegistry,
  descriptorOf,
  type FakeBlob,
  type FakeRegistry,
  jsonBlob,
  madeBytes,
  makeBlob,
} from '../support/fake-registry.ts';
import { resultOf, verifyStore } from '../support/pulls.ts';
import { tempDir } from '../support/temp.ts';

const amd64: Platform = { os: 'linux', architecture: 'amd64' };
const arm64: Platform = { os: 'linux', architecture: 'arm64' };

const registries: FakeRegistry[] = [];
afterEach(async () => {
  for (const registry of registries.splice(0)) await registry.close();
});

async function setUp() {
  const fake = await createFakeRegistry();
  registries.push(fake);
  return { fake, store: path.join(tempDir(), 'store') };
}

const pull = (reference: string, store: string, ...more: string[]) =>
  runCli(['pull', reference, '--store', store, '--platform', 'linux/amd64', '--json', ...more]);
const pullAll = (reference: string, store: string, ...more: string[]) =>
  runCli(['pull', reference, '--store', store, '--all-platforms', '--json', ...more]);

/** `HEAD latest`, `GET sha256:…`: what the registry was asked since `from`. */
function asked({ requests }: FakeRegistry, from = 0): string[] {
  return requests
    .slice(from)
    .map(({ method, path: asked }) => `${method} ${asked.slice(asked.lastIndexOf('/') + 1)}`);
}

/** A lock server that nobody should call, and how often it was called all the same. */
async function startUnwanted() {
  let calls = 0;
  const server = createServer((socket) => {
    calls += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    calls: () => calls,
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}

function addManifest(fake: FakeRegistry, tag: string, layers: readonly (Descriptor & { data?: string })[]) {
  const config = fake.addBlob(
    Buffer.from(JSON.stringify({ ...amd64, rootfs: { type: 'layers', diff_ids: [] } })),
  );
  const value = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { ...descriptorOf(config), mediaType: mediaTypes.ociConfig },
    layers,
  };
  const manifest = jsonBlob(value, mediaTypes.ociManifest);
  fake.addManifest('library/app', manifest, tag);
  return { reference: `${fake.host}/library/app:${tag}`, manifest, config };
}

const records = (store: string) =>
  readdirSync(path.join(store, 'images')).map((name) =>
    JSON.parse(readFileSync(path.join(store, 'images', name), 'utf8')),
  );

describe('a pull of what the store has', () => {
  it.each([{}, { platforms: [amd64, arm64] }])(
    'costs one HEAD, by tag and by digest: %o',
    async (options) => {
      const { fake, store } = await setUp();
      const { reference, digest } = fake.addImage(options);
      resultOf(await pull(reference, store));
      rmSync(path.join(store, 'coordinator.lock'), { force: true });
      const unwanted = await startUnwanted();
      let from = fake.requests.length;
      const byTag = resultOf(await pull(reference, store, '--server', unwanted.url));
      expect(asked(fake, from)).toEqual(['HEAD latest']);
      expect(byTag.layers.map(({ outcome }) => outcome)).toEqual(Array(4).fill('present'));
      from = fake.requests.length;
      resultOf(await pull(`${fake.host}/library/app@${digest}`, store));
      expect(asked(fake, from)).toEqual([`HEAD ${digest}`]);
      expect(unwanted.calls()).toBe(0);
      expect(existsSync(path.join(store, 'coordinator.lock'))).toBe(false);
      await unwanted.close();
    },
  );

  it('fetches what is missing, and only that', async () => {
    const { fake, store } = await setUp();
    const made = fake.addImage();
    resultOf(await pull(made.reference, store));
    const [, lost] = made.layers;
    rmSync(path.join(store, 'blobs/sha256', lost?.digest.slice(7) ?? ''));
    const from = fake.requests.length;
    const result = resultOf(await pull(made.reference, store));
    expect(asked(fake, from)).toEqual(['HEAD latest', `GET ${lost?.digest}`]);
    expect(result.bytesFromRegistry).toBe(lost?.size);
  });

  it.each([
    ['gone', (file: string) => rmSync(file)],
    ['damaged', (file: string) => writeFileSync(file, ' '.repeat(statSync(file).size))],
  ])('reads a manifest again whose copy is %s, and keeps it', async (_, spoil) => {
    const { fake, store } = await setUp();
    const made = fake.addImage();
    resultOf(await pull(made.reference, store));
    spoil(path.join(store, 'blobs/sha256', made.digest.slice(7)));
    const from = fake.requests.length;
    resultOf(await pull(made.reference, store));
    expect(asked(fake, from)).toEqual(['HEAD latest', 'GET latest']);
    expect(await verifyStore(store)).toContain(made.digest);
  });

  it('asks a store of its own nothing before it is made: the first pull is one GET', async () => {
    const { fake, store } = await setUp();
    const made = fake.addImage({ layers: [10] });
    resultOf(await pull(made.reference, store));
    expect(asked(fake)[0]).toBe('GET latest');
    expect(fake.requests).toHaveLength(3);
  });
});

describe('a pull of all platforms', () => {
  it('keeps the index whole, each platform under the name, and shared layers once', async () => {
    const { fake, store } = await setUp();
    const made = fake.addImage({ platforms: [amd64, arm64], layers: [1_000, 2_000] });
    const run = await pullAll(made.reference, store);
    const result = resultOf(run);
    const [first, second] = made.manifests;
    expect(JSON.parse(run.stdout).platforms).toEqual(
      expect.arrayContaining([
        { platform: 'linux/amd64', manifestDigest: first?.digest },
        { platform: 'linux/arm64', manifestDigest: second?.digest },
      ]),
    );
    expect(result.digest).toBe(made.digest);
    expect(result.layers).toHaveLength(4);
    for (const { digest } of made.layers) expect(fake.blobGets(digest)).toBe(1);
    const documents = [made.digest, ...made.manifests.map(({ digest }) => digest)];
    const blobs = [...made.layers, ...made.manifests.map(({ config }) => config)].map(({ digest }) => digest);
    expect((await verifyStore(store)).sort()).toEqual([...documents, ...blobs].sort());
    expect(records(store)).toHaveLength(2);
    expect(records(store).every(({ index }) => index.digest === made.digest)).toBe(true);
  });

  it('gives the name to the platform that was asked for, whatever the order', async () => {
    const { fake, store } = await setUp();
    const made = fake.addImage({ platforms: [arm64, amd64, { os: 'linux', architecture: 's390x' }] });
    for (const platform of ['linux/s390x', 'linux/amd64', 'linux/arm64']) {
      const run = await runCli(['pull', made.reference, '--store', store, '--all-platforms'], {
        env: { LAYERPULL_PLATFORM: platform },
      });
      expect(run.code, run.stderr).toBe(0);
      const { manifests } = JSON.parse(readFileSync(path.join(store, 'index.json'), 'utf8'));
      const named = manifests.filter(
        ({ annotations }: { annotations: Record<string, string> }) =>
          annotations['org.opencontainers.image.ref.name'] === made.reference,
      );
      expect(named).toHaveLength(1);
      expect(named[0].annotations['io.layerpull.platform']).toBe(platform);
      expect(manifests).toHaveLength(3);
    }
  });

  it('costs one HEAD when they are all there', async () => {
    const { fake, store } = await setUp();
    const { reference } = fake.addImage({ platforms: [amd64, arm64] });
    resultOf(await pullAll(reference, store));
    const before = records(store);
    const from = fake.requests.length;
    resultOf(await pullAll(reference, store));
    expect(asked(fake, from)).toEqual(['HEAD latest']);
    expect(records(store)).toHaveLength(before.length);
  });

  it('warns of what it leaves out', async () => {
    const { fake, store } = await setUp();
    const made = fake.addImage();
    const odd = {
      mediaType: 'application/vnd.acme.thing',
      digest: made.config.digest,
      size: made.config.size,
    };
    const manifests = [{ ...descriptorOf(made.manifest), platform: amd64 }, odd, odd];
    const index = jsonBlob(
      { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests },
      mediaTypes.ociIndex,
    );
    fake.addManifest('library/app', index, 'odd');
    const run = await pullAll(`${fake.host}/library/app:odd`, store, '--progress', 'plain');
    expect(run.code, run.stderr).toBe(0);
    expect(run.stderr).toMatch(/warning: .*application\/vnd\.acme\.thing and 1 more: not pulled/);
  });

  it('goes with no single platform', async () => {
    const run = await runCli(['pull', 'busybox', '--all-platforms', '--platform', 'linux/amd64']);
    expect([run.code, run.stdout]).toEqual([2, '']);
    expect(run.stderr).toContain('--platform');
  });
});

describe('a pull of one platform behind two indexes', () => {
  it('keeps both of them', async () => {
    const { fake, store } = await setUp();
    const inner = fake.addImage({ platforms: [amd64] });
    const manifests = [descriptorOf(inner.index ?? inner.manifest)];
    const outer = jsonBlob(
      { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests },
      mediaTypes.ociIndex,
    );
    fake.addManifest('library/app', outer, 'outer');
    const reference = `${fake.host}/library/app:outer`;
    expect(resultOf(await pull(reference, store)).digest).toBe(outer.digest);
    expect(await verifyStore(store)).toEqual(expect.arrayContaining([inner.digest, outer.digest]));
    const from = fake.requests.length;
    resultOf(await pull(reference, store));
    expect(asked(fake, from)).toEqual(['HEAD outer']);
  });
});

describe('a dry run', () => {
  it('shows what there is to fetch, and makes nothing', async () => {
    const { fake, store } = await setUp();
    const made = fake.addImage({ layers: [1_048_576, 2_097_152] });
    const unwanted = await startUnwanted();
    const run = await runCli([
      'pull',
      made.reference,
      '--store',
      store,
      '--dry-run',
      '--server',
      unwanted.url,
    ]);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(run.stdout).toContain(`${made.reference}: ${made.digest}`);
    expect(run.stdout).toMatch(/DIGEST +SIZE +STATE +TYPE/);
    for (const { digest } of made.layers) {
      expect(run.stdout).toMatch(new RegExp(`${digest.slice(0, 19)} +\\d MiB +to fetch`));
    }
    expect(run.stdout).toMatch(/3 blobs: 0 present \(0 B\), 3 to fetch \(3 MiB\)\n$/);
    expect(existsSync(store)).toBe(false);
    expect(unwanted.calls()).toBe(0);
    expect(fake.requests.every(({ path: asked }) => asked.includes('/manifests/'))).toBe(true);
    await unwanted.close();
  });

  it('tells by JSON what is there, what is embedded, and what is missing', async () => {
    const { fake, store } = await setUp();
    const shared = fake.addBlob(madeBytes('shared', 500));
    const fresh = fake.addBlob(madeBytes('fresh', 700));
    const inline = makeBlob(Buffer.from('{}'), 'application/vnd.oci.empty.v1+json');
    const old = addManifest(fake, 'old', [descriptorOf(shared)]);
    resultOf(await pull(old.reference, store));
    const data = inline.bytes.toString('base64');
    const layers = [descriptorOf(shared), { ...descriptorOf(inline), data }, descriptorOf(fresh)];
    const next = addManifest(fake, 'next', layers);
    const before = readdirSync(store, { recursive: true }).sort();
    const run = await pull(next.reference, store, '--dry-run', '--progress', 'json');
    expect([run.code, run.stderr]).toEqual([0, '']);
    const size = next.config.size;
    expect(JSON.parse(run.stdout)).toEqual({
      dryRun: true,
      reference: next.reference,
      digest: next.manifest.digest,
      manifestDigest: next.manifest.digest,
      platform: 'linux/amd64',
      platforms: [{ platform: 'linux/amd64', manifestDigest: next.manifest.digest }],
      store,
      layers: [
        { ...descriptorOf(next.config), mediaType: mediaTypes.ociConfig, state: 'present' },
        { ...descriptorOf(shared), state: 'present' },
        { ...descriptorOf(inline), state: 'embedded' },
        { ...descriptorOf(fresh), state: 'missing' },
      ],
      bytesTotal: size + 500 + 2 + 700,
      bytesPresent: size + 500,
      bytesToFetch: 700,
    });
    expect(readdirSync(store, { recursive: true }).sort()).toEqual(before);
  });

  it('shows all platforms', async () => {
    const { fake, store } = await setUp();
    const { reference } = fake.addImage({ platforms: [amd64, arm64] });
    const run = await runCli(['pull', reference, '--store', store, '--dry-run', '--all-platforms']);
    expect(run.stdout).toMatch(/linux\/amd64, linux\/arm64|linux\/arm64, linux\/amd64/);
    expect(run.stdout).toContain('5 blobs');
  });

  it('fails as a pull does', async () => {
    const { fake, store } = await setUp();
    const run = await pull(`${fake.host}/library/app:gone`, store, '--dry-run');
    expect(run.code).toBe(3);
    expect(JSON.parse(run.stdout).error.code).toBe('image_not_found');
  });
});

describe('a pull that finds nothing to pull', () => {
  it.each([
    ['an unknown tag', 3, (fake: FakeRegistry) => `${fake.host}/library/app:gone`],
    ['another platform', 3, (fake: FakeRegistry) => fake.addImage({ platforms: [arm64] }).reference],
    ['no registry', 5, () => '127.0.0.1:1/library/app'],
    ['no reference', 2, () => 'Busybox'],
    [
      'an image of schema 1',
      6,
      (fake: FakeRegistry) => {
        fake.fault('latest', { kind: 'schema1' });
        return fake.addImage().reference;
      },
    ],
  ])('for %s ends with exit code %i and leaves no store', async (_, code, referenceOf) => {
    const { fake, store } = await setUp();
    expect((await pull(referenceOf(fake), store)).code).toBe(code);
    expect(existsSync(store)).toBe(false);
  });
});

describe('layers of every kind', () => {
  it('come with the manifest where it has their data, and cost no request', async () => {
    const { fake, store } = await setUp();
    const inline = makeBlob(Buffer.from('small'), 'application/vnd.acme.note');
    const layer = { ...descriptorOf(inline), data: inline.bytes.toString('base64') };
    const { reference, manifest } = addManifest(fake, 'inline', [layer]);
    const result = resultOf(await pull(reference, store));
    expect(result.layers[1]).toMatchObject({ outcome: 'present', bytes: 0 });
    expect(await verifyStore(store)).toEqual(expect.arrayContaining([inline.digest, manifest.digest]));
    expect(fake.blobGets(inline.digest)).toBe(0);
  });

  it('are refused where the data is another', async () => {
    const { fake, store } = await setUp();
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
    const { fake, store } = await setUp();
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
    const { fake, store } = await setUp();
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
    const { fake, store } = await setUp();
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
    const { fake, store } = await setUp();
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
    const { fake, store } = await setUp();
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
