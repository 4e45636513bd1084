import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { mediaTypes } from '../../src/core/descriptor.ts';
import { runCli } from '../support/cli.ts';
import { descriptorOf, jsonBlob } from '../support/fake-registry.ts';
import { amd64, arm64, asked, pull, pullAll, setUpPull } from '../support/planned-pulls.ts';
import { resultOf, verifyStore } from '../support/pulls.ts';

const records = (store: string) =>
  readdirSync(path.join(store, 'images')).map((name) =>
    JSON.parse(readFileSync(path.join(store, 'images', name), 'utf8')),
  );

describe('a pull of all platforms', () => {
  it('keeps the index whole, each platform under the name, and shared layers once', async () => {
    const { fake, store } = await setUpPull();
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
    const { fake, store } = await setUpPull();
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
    const { fake, store } = await setUpPull();
    const { reference } = fake.addImage({ platforms: [amd64, arm64] });
    resultOf(await pullAll(reference, store));
    const before = records(store);
    const from = fake.requests.length;
    resultOf(await pullAll(reference, store));
    expect(asked(fake, from)).toEqual(['HEAD latest']);
    expect(records(store)).toHaveLength(before.length);
  });

  it('warns of what it leaves out', async () => {
    const { fake, store } = await setUpPull();
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
    const { fake, store } = await setUpPull();
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
