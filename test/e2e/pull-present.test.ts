import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { mediaTypes } from '../../src/core/descriptor.ts';
import { runCli } from '../support/cli.ts';
import { descriptorOf, type FakeRegistry, madeBytes, makeBlob } from '../support/fake-registry.ts';
import {
  addManifest,
  amd64,
  arm64,
  asked,
  pull,
  setUpPull,
  startUnwanted,
} from '../support/planned-pulls.ts';
import { resultOf, verifyStore } from '../support/pulls.ts';

describe('a pull of what the store has', () => {
  it.each([{}, { platforms: [amd64, arm64] }])(
    'costs one HEAD, by tag and by digest: %o',
    async (options) => {
      const { fake, store } = await setUpPull();
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
    const { fake, store } = await setUpPull();
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
    const { fake, store } = await setUpPull();
    const made = fake.addImage();
    resultOf(await pull(made.reference, store));
    spoil(path.join(store, 'blobs/sha256', made.digest.slice(7)));
    const from = fake.requests.length;
    resultOf(await pull(made.reference, store));
    expect(asked(fake, from)).toEqual(['HEAD latest', 'GET latest']);
    expect(await verifyStore(store)).toContain(made.digest);
  });

  it('asks a store of its own nothing before it is made: the first pull is one GET', async () => {
    const { fake, store } = await setUpPull();
    const made = fake.addImage({ layers: [10] });
    resultOf(await pull(made.reference, store));
    expect(asked(fake)[0]).toBe('GET latest');
    expect(fake.requests).toHaveLength(3);
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
    const { fake, store } = await setUpPull();
    expect((await pull(referenceOf(fake), store)).code).toBe(code);
    expect(existsSync(store)).toBe(false);
  });
});

describe('a dry run', () => {
  it('shows what there is to fetch, and makes nothing', async () => {
    const { fake, store } = await setUpPull();
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
    const { fake, store } = await setUpPull();
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
    const { fake, store } = await setUpPull();
    const { reference } = fake.addImage({ platforms: [amd64, arm64] });
    const run = await runCli(['pull', reference, '--store', store, '--dry-run', '--all-platforms']);
    expect(run.stdout).toMatch(/linux\/amd64, linux\/arm64|linux\/arm64, linux\/amd64/);
    expect(run.stdout).toContain('5 blobs');
  });

  it('fails as a pull does', async () => {
    const { fake, store } = await setUpPull();
    const run = await pull(`${fake.host}/library/app:gone`, store, '--dry-run');
    expect(run.code).toBe(3);
    expect(JSON.parse(run.stdout).error.code).toBe('image_not_found');
  });
});
