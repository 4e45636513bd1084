import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { mediaTypes } from '../../src/core/descriptor.ts';
import { onCleanup } from '../support/cleanup.ts';
import { type CliOptions, runCli } from '../support/cli.ts';
import { createFakeRegistry, descriptorOf, type ImageOptions, jsonBlob } from '../support/fake-registry.ts';
import { asPlainUser, giveBack, takeAway } from '../support/plain-user.ts';
import { skopeo } from '../support/skopeo.ts';
import { tempDir } from '../support/temp.ts';

const amd64 = { os: 'linux', architecture: 'amd64' };
const arm64 = { os: 'linux', architecture: 'arm64' };

async function setUp(options: ImageOptions = {}) {
  const fake = await createFakeRegistry();
  onCleanup(() => fake.close());
  const image = fake.addImage(options);
  const store = path.join(tempDir(), 'store');
  const pull = (reference = image.reference) =>
    runCli(['pull', reference, '--store', store, '--platform', 'linux/amd64']);
  expect((await pull()).code).toBe(0);
  const verify = async (more: readonly string[] = [], cli: CliOptions = {}) => {
    const { code, stdout, stderr } = await runCli(['verify', '--store', store, '--json', ...more], cli);
    expect(stderr).not.toMatch(/^\s+at /m);
    return { code, stderr, ...JSON.parse(stdout) };
  };
  const fileOf = (digest: string) => path.join(store, 'blobs', digest.replace(':', '/'));
  return { fake, image, store, pull, verify, fileOf, manifestFile: fileOf(image.manifest.digest) };
}

function recordOf(store: string): string {
  const [name = ''] = readdirSync(path.join(store, 'images'));
  return path.join(store, 'images', name);
}

function changeRecord(store: string, change: object): void {
  const record = JSON.parse(readFileSync(recordOf(store), 'utf8'));
  writeFileSync(recordOf(store), JSON.stringify({ ...record, manifest: { ...record.manifest, ...change } }));
}

const kindsOf = (problems: readonly { readonly kind: string }[]) => problems.map(({ kind }) => kind).sort();

describe('an image that layerpull verify looks at', () => {
  it('is whole without the attestations that its index lists', async () => {
    const { verify } = await setUp({ platforms: [amd64, arm64], attestation: true });
    expect(await verify()).toMatchObject({ code: 0, problems: [], notes: [] });
  });

  it('is whole without a foreign layer, which is noted', async () => {
    const { fake, verify, store, fileOf } = await setUp();
    const foreign = fake.addBlob(
      Buffer.from('kept elsewhere'),
      'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
    );
    const config = jsonBlob({ ...amd64, rootfs: { type: 'layers', diff_ids: [] } }, mediaTypes.ociConfig);
    fake.addBlob(config.bytes, config.mediaType);
    const manifest = jsonBlob(
      {
        schemaVersion: 2,
        mediaType: mediaTypes.ociManifest,
        config: descriptorOf(config),
        layers: [descriptorOf(foreign)],
      },
      mediaTypes.ociManifest,
    );
    fake.addManifest('library/foreign', manifest, 'latest');
    const reference = `${fake.host}/library/foreign`;
    expect((await runCli(['pull', reference, '--store', store])).code).toBe(0);
    rmSync(fileOf(foreign.digest));
    const found = await verify();
    expect(found).toMatchObject({
      code: 0,
      problems: [],
      notes: [{ kind: 'foreign', digest: foreign.digest }],
    });
    expect((await runCli(['verify', '--store', store])).stdout).toMatch(/^note: sha256:.* a foreign layer/);
  });

  it.each([
    ['a folder', (file: string) => mkdirSync(file)],
    ['a pipe', (file: string) => execFileSync('mkfifo', [file])],
  ])('may have %s in place of its manifest, and a pull mends that', async (_, make) => {
    const { verify, pull, manifestFile, image } = await setUp();
    rmSync(manifestFile);
    make(manifestFile);
    expect(await verify()).toMatchObject({
      code: 6,
      problems: [{ kind: 'no-file', digest: image.manifest.digest }],
    });
    expect(await verify(['--repair'])).toMatchObject({ code: 6, repaired: [{ kind: 'no-file' }] });
    expect((await pull()).code).toBe(0);
    expect((await verify()).code).toBe(0);
  });

  it('may have a record of another size, and a pull mends that', async () => {
    const { verify, pull, store, image } = await setUp();
    const { size, digest } = image.manifest;
    changeRecord(store, { size: size + 1 });
    const found = await verify();
    expect(kindsOf(found.problems)).toEqual(['index', 'size']);
    expect(found.problems).toContainEqual(expect.objectContaining({ digest, size, expected: size + 1 }));
    expect(kindsOf((await verify(['--repair'])).problems)).toEqual(['size']);
    expect((await pull()).code).toBe(0);
    expect((await verify()).code).toBe(0);
  });

  it('may have a record that leads to a layer, and a pull mends that', async () => {
    const { verify, pull, store, image } = await setUp();
    const { digest, size } = image.layers[0] ?? image.config;
    changeRecord(store, { digest, size });
    const found = await verify();
    expect(kindsOf(found.problems)).toEqual(['index', 'no-manifest']);
    expect((await pull()).code).toBe(0);
    expect((await verify()).code).toBe(0);
  });

  it('is whole again when a deletion that was broken off is ended', async () => {
    const { verify, store, image, fileOf } = await setUp();
    const { digest } = image.layers[0] ?? image.config;
    mkdirSync(path.join(store, 'trash'), { recursive: true });
    renameSync(fileOf(digest), path.join(store, 'trash', `7-${digest.slice('sha256:'.length)}`));
    expect(await verify()).toMatchObject({ code: 6, problems: [{ kind: 'missing', digest }] });
    expect(await verify(['--repair'])).toMatchObject({
      code: 0,
      problems: [],
      repaired: [{ kind: 'missing', digest }],
    });
    expect(existsSync(fileOf(digest))).toBe(true);
  });
});

describe('a store that layerpull verify looks at', () => {
  it('may have been written by skopeo too', async () => {
    const { verify, store, image } = await setUp();
    await skopeo('copy', '--src-tls-verify=false', `docker://${image.reference}`, `oci:${store}:theirs`);
    expect(readFileSync(path.join(store, 'index.json'), 'utf8')).toContain('"theirs"');
    expect(await verify()).toMatchObject({ code: 0, problems: [] });
  });

  it('may have a folder in place of index.json, which is moved aside', async () => {
    const { verify, store } = await setUp();
    const index = path.join(store, 'index.json');
    const right = readFileSync(index, 'utf8');
    rmSync(index);
    mkdirSync(path.join(index, 'inside'), { recursive: true });
    expect(kindsOf((await verify()).problems)).toEqual(['index', 'layout']);
    expect(await verify(['--repair'])).toMatchObject({ code: 0, problems: [] });
    expect(JSON.parse(readFileSync(index, 'utf8'))).toEqual(JSON.parse(right));
    expect(readdirSync(path.join(store, 'trash'))).toEqual([
      expect.stringMatching(/^layout-.*-index\.json$/),
    ]);
  });

  it('may have lost the folder of its images', async () => {
    const { verify, store, pull } = await setUp();
    rmSync(path.join(store, 'images'), { recursive: true });
    expect(kindsOf((await verify()).problems)).toEqual(['index', 'layout']);
    expect((await verify(['--repair'])).code).toBe(0);
    expect((await pull()).code).toBe(0);
    expect((await verify()).images).toBe(1);
  });

  it('may have a record that it may not read, and that stays', async () => {
    const { verify, store } = await setUp();
    const record = recordOf(store);
    const before = readFileSync(record, 'utf8');
    takeAway(record);
    onCleanup(() => giveBack(record));
    const run = await verify(['--repair'], { via: asPlainUser });
    expect(run).toMatchObject({ code: 6, problems: [{ kind: 'record', file: record }] });
    giveBack(record);
    expect(readFileSync(record, 'utf8')).toBe(before);
    await verify(['--repair']);
    expect(await verify()).toMatchObject({ code: 0, images: 1 });
  });

  it('keeps its name when that may not be read', async () => {
    const { verify, store } = await setUp();
    const identity = path.join(store, 'layerpull.json');
    const before = readFileSync(identity, 'utf8');
    takeAway(identity);
    onCleanup(() => giveBack(identity));
    const run = await verify(['--repair'], { via: asPlainUser });
    expect(run).toMatchObject({ code: 8, error: { code: 'store_unusable' } });
    giveBack(identity);
    expect(readFileSync(identity, 'utf8')).toBe(before);
  });
});
