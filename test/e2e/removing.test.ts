import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCli } from '../support/cli.ts';
import type { FakeImage, FakeRegistry } from '../support/fake-registry.ts';
import { madeBytes } from '../support/fake-registry.ts';
import { amd64, arm64, setUpPull } from '../support/planned-pulls.ts';
import { startServer } from '../support/pulls.ts';
import { blobFile, blobsIn, faultsOf, namesIn } from '../support/whole-store.ts';

const nobody = '127.0.0.1:1';
const shared = madeBytes('shared', 5_000);

async function setUp() {
  const { fake, store } = await setUpPull();
  const run = (command: string, ...args: string[]) => runCli([command, ...args, '--store', store]);
  const pull = async (reference: string, ...args: string[]) => {
    const platform = args.includes('--all-platforms') ? [] : ['--platform', 'linux/amd64'];
    const pulled = await run('pull', reference, ...platform, ...args);
    expect(pulled.code, pulled.stderr).toBe(0);
  };
  const json = async (command: string, ...args: string[]) => {
    const done = await run(command, ...args, '--json');
    expect(done.code, done.stdout).toBe(0);
    return JSON.parse(done.stdout);
  };
  const error = async (command: string, ...args: string[]) => {
    const failed = await run(command, ...args, '--json');
    return { exitCode: failed.code, ...JSON.parse(failed.stdout).error };
  };
  return { fake, store, run, pull, json, error };
}

/** Two images with one layer in common. */
function addTwo(fake: FakeRegistry): readonly [FakeImage, FakeImage] {
  const one = fake.addImage({ repository: 'team/one', layers: [shared, 1_000] });
  return [one, fake.addImage({ repository: 'team/two', layers: [shared, 2_000] })];
}

const digestsOf = (image: FakeImage) =>
  [image.manifest, image.config, ...image.layers].map(({ digest }) => digest).sort();

/** Everything that a refusal must leave as it is. */
function snapshot(store: string): string[] {
  const folders = ['images', 'references', 'trash', 'ingest', 'blobs/sha256'];
  const names = folders.flatMap((folder) => namesIn(store, folder).map((name) => `${folder}/${name}`));
  return [...names, readFileSync(path.join(store, 'index.json'), 'utf8')];
}

describe('rm', () => {
  it('removes an image with its blobs, and says each as docker does', async () => {
    const { fake, store, pull, run } = await setUp();
    const { reference, ...image } = fake.addImage();
    await pull(reference);
    const { stdout, code } = await run('rm', reference);
    const [first, ...others] = stdout.trim().split('\n');
    expect(first).toBe(`Untagged: ${reference}`);
    expect(others.sort()).toEqual(digestsOf({ reference, ...image }).map((digest) => `Deleted: ${digest}`));
    expect(code).toBe(0);
    expect(blobsIn(store)).toEqual([]);
    expect(namesIn(store, 'images')).toEqual([]);
    expect(JSON.parse(readFileSync(path.join(store, 'index.json'), 'utf8')).manifests).toEqual([]);
  });

  it('keeps the layer that another image shares', async () => {
    const { fake, store, pull, json } = await setUp();
    const [one, two] = addTwo(fake);
    for (const { reference } of [one, two]) await pull(reference);
    const { untagged, deleted, bytesFreed } = await json('rm', one.reference);
    expect(untagged).toEqual([
      { name: one.reference, platform: 'linux/amd64', digest: one.digest, manifestDigest: one.digest },
    ]);
    expect(deleted.map(({ digest }: { digest: string }) => digest)).not.toContain(two.layers[0]?.digest);
    expect(bytesFreed).toBe(1_000 + one.config.size + one.manifest.size);
    expect(blobsIn(store)).toEqual(digestsOf(two));
    expect(faultsOf(store)).toEqual([]);
  });

  it('keeps all blobs while another name stands for the same image', async () => {
    const { fake, store, pull, json } = await setUp();
    const image = fake.addImage({ tag: 'a', layers: [shared] });
    fake.addManifest('library/app', image.manifest, 'b');
    const other = image.reference.replace(/:a$/, ':b');
    for (const reference of [image.reference, other]) await pull(reference);
    expect((await json('rm', image.reference)).deleted).toEqual([]);
    expect(faultsOf(store)).toEqual([]);
    expect((await json('rm', other)).deleted).toHaveLength(3);
  });

  it('takes NAME@DIGEST, the beginning of a digest, and the digest of the config', async () => {
    const { fake, store, pull, json } = await setUp();
    const { reference, digest, config } = fake.addImage();
    const hex = digest.slice('sha256:'.length);
    const name = reference.replace(/:latest$/, '');
    const ways = [
      `${reference}@${digest}`,
      `${name}@${digest}`,
      digest,
      hex,
      hex.slice(0, 12),
      config.digest,
    ];
    for (const way of ways) {
      await pull(reference);
      expect((await json('rm', way)).untagged, way).toHaveLength(1);
      expect(blobsIn(store)).toEqual([]);
    }
  });

  it('asks for --force before it removes an image given by digest under several names', async () => {
    const { fake, store, pull, json, error } = await setUp();
    const image = fake.addImage({ tag: 'a', layers: [shared] });
    fake.addManifest('library/app', image.manifest, 'b');
    for (const tag of ['a', 'b']) await pull(image.reference.replace(/:a$/, `:${tag}`));
    expect(await error('rm', image.digest)).toMatchObject({ exitCode: 2, code: 'usage' });
    expect(faultsOf(store)).toEqual([]);
    expect((await json('rm', '--force', image.digest)).untagged).toHaveLength(2);
    expect(blobsIn(store)).toEqual([]);
  });

  it('removes one platform or all of a name', async () => {
    const { fake, store, pull, json, error } = await setUp();
    const image = fake.addImage({ platforms: [amd64, arm64] });
    await pull(image.reference, '--all-platforms');
    const [first, second] = image.manifests;
    const { deleted } = await json('rm', image.reference, '--platform', 'linux/arm64');
    expect(deleted.map(({ digest }: { digest: string }) => digest).sort()).toEqual(
      [second?.digest, second?.config.digest].sort(),
    );
    expect(faultsOf(store)).toEqual([]);
    const again = await error('rm', image.reference, '--platform', 'linux/arm64');
    expect(again).toMatchObject({
      exitCode: 3,
      code: 'platform_not_found',
      hint: expect.stringContaining('linux/amd64'),
    });
    expect((await json('rm', image.reference)).untagged).toMatchObject([{ manifestDigest: first?.digest }]);
    expect(blobsIn(store)).toEqual([]);
  });

  it('removes what Docker’s media types need beside', async () => {
    const { fake, store, pull, run } = await setUp();
    const { reference } = fake.addImage({ docker: true });
    await pull(reference);
    expect(faultsOf(store)).toEqual([]);
    await run('prune');
    expect(faultsOf(store)).toEqual([]);
    expect((await run('rm', reference)).code).toBe(0);
    expect(blobsIn(store)).toEqual([]);
  });

  it('ends with exit code 3 for an unknown image, and removes none of the others', async () => {
    const { fake, store, pull, error } = await setUp();
    const { reference } = fake.addImage();
    await pull(reference);
    const before = snapshot(store);
    const failure = await error('rm', reference, 'no/such:image');
    expect(failure).toMatchObject({ exitCode: 3, code: 'image_not_found' });
    expect(failure.message).toContain('docker.io/no/such:image');
    expect(snapshot(store)).toEqual(before);
  });

  it('makes no store where there is none', async () => {
    const { store, error, json } = await setUp();
    expect(await error('rm', 'busybox')).toMatchObject({ exitCode: 3, code: 'image_not_found' });
    expect(await json('prune')).toMatchObject({ blobs: [], leftovers: [], bytesFreed: 0 });
    expect(existsSync(store)).toBe(false);
  });

  it('asks a lock server where there is one', async () => {
    const { fake, store, pull, json } = await setUp();
    const { reference } = fake.addImage();
    const server = await startServer();
    await pull(reference, '--server', server.url);
    expect((await json('rm', reference, '--server', server.url)).deleted).toHaveLength(5);
    // The server has forgotten that the layers were pulled: nobody is told to skip them.
    await pull(reference, '--server', server.url);
    expect(faultsOf(store)).toEqual([]);
  });
});

describe('without a coordinator', () => {
  it.each(['rm', 'prune'])('%s refuses with exit code 7 and changes nothing', async (command) => {
    const { fake, store, pull, error } = await setUp();
    const { reference, layers } = fake.addImage();
    await pull(reference);
    const stray = layers[0]?.digest ?? '';
    mkdirSync(path.join(store, 'trash'));
    writeFileSync(path.join(store, 'trash', `7-${'0'.repeat(64)}`), 'left over');
    writeFileSync(blobFile(store, `sha256:${'1'.repeat(64)}`), 'nobody needs me');
    const before = snapshot(store);
    const args = [...(command === 'rm' ? [reference] : []), '--server', nobody];
    expect(await error(command, ...args)).toMatchObject({ exitCode: 7, code: 'lock_unreachable' });
    expect(snapshot(store)).toEqual(before);
    expect(existsSync(blobFile(store, stray))).toBe(true);
  });

  it.each(['rm', 'prune'])('%s refuses where another host has the store', async (command) => {
    const { fake, store, pull, error } = await setUp();
    const { reference } = fake.addImage();
    await pull(reference);
    const elsewhere = { format: 1, epoch: 9, pid: 1, host: 'elsewhere', kernel: 'another', clean: false };
    writeFileSync(path.join(store, 'coordinator.lock'), JSON.stringify(elsewhere));
    const before = snapshot(store);
    const failure = await error(command, ...(command === 'rm' ? [reference] : []));
    expect(failure).toMatchObject({ exitCode: 7, message: expect.stringContaining('elsewhere') });
    expect(snapshot(store)).toEqual(before);
  });
});

describe('prune', () => {
  /** A store with an image, and one thing of each kind that nobody needs. */
  async function setUpGarbage() {
    const setup = await setUp();
    const { fake, store, pull } = setup;
    const image = fake.addImage();
    const gone = fake.addImage({ repository: 'team/gone', layers: [4_000] });
    for (const { reference } of [image, gone]) await pull(reference);
    const { name } = JSON.parse(readFileSync(recordOf(store, gone.reference), 'utf8'));
    expect(name).toBe(gone.reference);
    renameSync(recordOf(store, gone.reference), path.join(store, 'gone'));
    const partial = path.join(store, 'ingest', `sha256-${'a'.repeat(64)}`);
    mkdirSync(partial);
    writeFileSync(path.join(partial, 'someone-1'), 'half');
    mkdirSync(path.join(store, 'trash'));
    writeFileSync(path.join(store, 'trash', `7-${'b'.repeat(64)}`), 'removed');
    return { ...setup, image, gone };
  }

  const recordOf = (store: string, reference: string) => {
    const names = namesIn(store, 'images').map((name) => path.join(store, 'images', name));
    return names.find((file) => readFileSync(file, 'utf8').includes(`"${reference}"`)) ?? '';
  };

  it('removes what nobody needs, and nothing else', async () => {
    const { store, image, gone, json } = await setUpGarbage();
    const result = await json('prune');
    expect(result).toMatchObject({ dryRun: false, store });
    expect(result.blobs.map(({ digest }: { digest: string }) => digest).sort()).toEqual(digestsOf(gone));
    expect(result.leftovers).toEqual([
      { kind: 'trash', digest: `sha256:${'b'.repeat(64)}`, bytes: 7 },
      { kind: 'partial', digest: `sha256:${'a'.repeat(64)}`, bytes: 4 },
    ]);
    expect(result.bytesFreed).toBe(4_000 + gone.config.size + gone.manifest.size + 11);
    expect(blobsIn(store)).toEqual(digestsOf(image));
    expect([...namesIn(store, 'trash'), ...namesIn(store, 'ingest')]).toEqual([]);
    expect(faultsOf(store)).toEqual([]);
    expect(await json('prune')).toMatchObject({ blobs: [], leftovers: [], bytesFreed: 0 });
  });

  it('only says so with --dry-run, also without a coordinator', async () => {
    const { store, gone, run, json } = await setUpGarbage();
    const before = snapshot(store);
    const { dryRun, blobs, leftovers, bytesFreed } = await json('prune', '--dry-run', '--server', nobody);
    expect(dryRun).toBe(true);
    expect(blobs).toHaveLength(digestsOf(gone).length);
    expect(leftovers).toHaveLength(2);
    const { stdout } = await run('prune', '--dry-run');
    expect(stdout).toContain(`Would delete: ${gone.config.digest}`);
    expect(stdout).toMatch(/Would free: .* in 5 items\n$/);
    expect(snapshot(store)).toEqual(before);
    expect((await json('prune')).bytesFreed).toBe(bytesFreed);
  });

  it('puts back what a killed deleter had moved away although an image needs it', async () => {
    const { fake, store, pull, json } = await setUp();
    const { reference, layers } = fake.addImage();
    await pull(reference);
    const digest = layers[0]?.digest ?? '';
    mkdirSync(path.join(store, 'trash'));
    renameSync(blobFile(store, digest), path.join(store, 'trash', `9-${digest.slice(7)}`));
    expect((await json('prune')).leftovers).toEqual([]);
    expect(faultsOf(store)).toEqual([]);
  });

  it('leaves what other tools name in index.json, down to the layers', async () => {
    const { fake, store, pull, json } = await setUp();
    const image = fake.addImage({ platforms: [amd64, arm64] });
    await pull(image.reference, '--all-platforms');
    // The same images as another tool lists them: an index, and no record.
    const entry = { mediaType: image.index?.mediaType, digest: image.digest, size: image.index?.size };
    const index = path.join(store, 'index.json');
    writeFileSync(index, JSON.stringify({ schemaVersion: 2, manifests: [entry] }));
    const before = blobsIn(store);
    expect((await json('rm', image.reference)).deleted).toEqual([]);
    expect((await json('prune')).blobs).toEqual([]);
    expect(blobsIn(store)).toEqual(before);
    expect(JSON.parse(readFileSync(index, 'utf8')).manifests).toEqual([entry]);
  });

  it('removes nothing while it cannot tell what an image needs, and says what to do', async () => {
    const { fake, store, pull, run, error } = await setUp();
    const [one, two] = addTwo(fake);
    for (const { reference } of [one, two]) await pull(reference);
    writeFileSync(blobFile(store, `sha256:${'1'.repeat(64)}`), 'nobody needs me');
    renameSync(blobFile(store, one.manifest.digest), path.join(store, 'lost'));
    const before = snapshot(store);
    const refused: [string, ...string[]][] = [['prune'], ['prune', '--dry-run'], ['rm', two.reference]];
    for (const args of refused) {
      const failure = await error(...args);
      expect(failure).toMatchObject({ exitCode: 8, hint: expect.stringContaining(one.reference) });
      expect(snapshot(store)).toEqual(before);
    }
    expect((await run('rm', one.reference)).code).toBe(0);
    expect((await run('prune')).code).toBe(0);
    expect(blobsIn(store)).toEqual(digestsOf(two));
  });
});
