import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type CliResult, runCli } from '../support/cli.ts';
import { describeWith, reportMissing } from '../support/components.ts';
import { type PushedImage, pushImage } from '../support/images.ts';
import { ownMounts, runBound, runWithFileLimit, whyNoMounts, whyUnbound } from '../support/own-mounts.ts';
import { resultOf } from '../support/pulls.ts';
import { startRegistry } from '../support/real-registry.ts';
import { tempDir } from '../support/temp.ts';
import { blobFile, blobsIn, faultsOf, namesIn } from '../support/whole-store.ts';

const mib = 1_048_576;

let image: PushedImage;
let other: PushedImage;

const layerOf = ({ layers: [layer] }: PushedImage) => layer ?? { digest: '', size: 0 };
const pullArgs = ({ reference }: PushedImage, store: string) => [
  ...['pull', reference, '--store', store, '--json'],
  ...['--progress', 'none'],
];
const pull = (one: PushedImage, store: string) => runCli(pullArgs(one, store));

function newStore(): string {
  return path.join(tempDir(), 'store');
}

async function storeWith(one: PushedImage): Promise<string> {
  const store = newStore();
  resultOf(await pull(one, store));
  return store;
}

/** One line and one document, with exit code 8. */
function expectStoreError(
  { code, stdout, stderr }: CliResult,
  error: { code: string; message: RegExp },
): void {
  expect(code, stderr + stdout).toBe(8);
  expect(stderr.trim().split('\n')).toEqual([expect.stringMatching(/^layerpull: cannot |^layerpull: \//)]);
  const told = JSON.parse(stdout).error;
  expect(told).toMatchObject({
    code: error.code,
    exitCode: 8,
    message: expect.stringMatching(error.message),
  });
  expect(told.message).not.toContain('\n');
}

async function expectPulled(one: PushedImage, store: string): Promise<void> {
  resultOf(await pull(one, store));
  expect(faultsOf(store)).toEqual([]);
}

function partialsOf(store: string, { digest }: { readonly digest: string }): string[] {
  const folder = path.join(store, 'ingest', digest.replace(':', '-'));
  return existsSync(folder) ? readdirSync(folder).map((name) => path.join(folder, name)) : [];
}

describeWith(['docker-registry'], 'a store', () => {
  beforeAll(async () => {
    const registry = await startRegistry();
    image = await pushImage(registry, 'team/app', { layers: [{ bytes: 8 * mib, seed: 'app' }] });
    other = await pushImage(registry, 'team/small', { layers: [{ bytes: 1_000, seed: 'small' }] });
  });

  const noMounts = whyNoMounts();
  describe('on a file system of its own', () => {
    if (noMounts) {
      reportMissing(noMounts);
      return;
    }

    it('that is full keeps what came, and the next pull goes on from there', async () => {
      const disk = tempDir();
      const fill = 'head -c 34M /dev/zero > "$0/filler"';
      const mounts = await ownMounts(disk, `mount -t tmpfs -o size=40m none "$0"; ${fill}`);
      const store = path.join(disk, 'store');
      const seen = mounts.outside(store);
      const full = { code: 'store_full', message: /no space left on the device/ };
      expectStoreError(await mounts.run(...pullArgs(image, store)), full);
      const [partial = '', ...more] = partialsOf(seen, layerOf(image));
      expect(more).toEqual([]);
      const { size } = statSync(partial);
      expect(size).toBeGreaterThan(mib);
      const before = readdirSync(seen, { recursive: true }).sort();
      const plain = await mounts.run('pull', image.reference, '--store', store, '-q');
      expect([plain.code, plain.stdout]).toEqual([8, '']);
      expect(plain.stderr.trim().split('\n')).toEqual([expect.stringMatching(/no space left.*free space/)]);
      expect(readdirSync(seen, { recursive: true }).sort()).toEqual(before);
      mounts.shell('rm "$0/filler"');
      const { layers } = resultOf(await mounts.run(...pullArgs(image, store)));
      const { digest, size: total } = layerOf(image);
      expect(layers.find((layer) => layer.digest === digest)?.bytes).toBe(total - size);
      expect(faultsOf(seen)).toEqual([]);
      expect(namesIn(seen, 'ingest')).toEqual([]);
    });

    it('that is full from the beginning says so, and the next pull works', async () => {
      const disk = tempDir();
      const fill = 'cat /dev/zero > "$0/filler" 2> /dev/null || true';
      const mounts = await ownMounts(disk, `mount -t tmpfs -o size=16m none "$0"; ${fill}`);
      const store = path.join(disk, 'store');
      const full = { code: 'store_full', message: /no space left on the device/ };
      expectStoreError(await mounts.run(...pullArgs(image, store)), full);
      mounts.shell('rm "$0/filler"');
      resultOf(await mounts.run(...pullArgs(image, store)));
      expect(faultsOf(mounts.outside(store))).toEqual([]);
    });

    it.each([
      ['rm', () => ['rm', image.reference]],
      ['prune', () => ['prune']],
    ])('that is full is made room in by %s', async (command, argsOf) => {
      const disk = tempDir();
      const mounts = await ownMounts(disk, 'mount -t tmpfs -o size=16m none "$0"');
      const store = path.join(disk, 'store');
      const seen = mounts.outside(store);
      resultOf(await mounts.run(...pullArgs(image, store)));
      if (command === 'prune') mounts.shell('rm "$0"/store/images/*');
      mounts.shell('cat /dev/zero > "$0/filler" 2> /dev/null || true');
      const run = await mounts.run(...argsOf(), '--store', store);
      expect([run.code, run.stderr]).toEqual([0, '']);
      expect(existsSync(blobFile(seen, layerOf(image).digest))).toBe(false);
      mounts.shell('rm "$0/filler"');
      resultOf(await mounts.run(...pullArgs(image, store)));
      expect(faultsOf(seen)).toEqual([]);
    });

    it('that is read-only can be read, and says so to who would write', async () => {
      const store = await storeWith(image);
      const before = readdirSync(store, { recursive: true }).sort();
      const readOnly = 'mount --bind "$0" "$0"; mount -o remount,bind,ro "$0"';
      const mounts = await ownMounts(store, readOnly);
      const refused = { code: 'store_unusable', message: /read-only/ };
      expectStoreError(await mounts.run(...pullArgs(other, store)), refused);
      expectStoreError(await mounts.run('rm', image.reference, '--store', store, '--json'), refused);
      for (const deeper of ['deeper', 'much/deeper']) {
        expectStoreError(await mounts.run(...pullArgs(other, path.join(store, deeper))), refused);
      }
      const { layers } = resultOf(await mounts.run(...pullArgs(image, store)));
      expect(layers.map(({ outcome }) => outcome)).toEqual(['present', 'present']);
      expect((await mounts.run('images', '--store', store)).stdout).toContain('team/app');
      const inspected = await mounts.run('inspect', image.reference, '--store', store);
      expect(inspected.stdout).toContain(layerOf(image).digest.slice(0, 12));
      expect((await mounts.run('verify', '--store', store)).code).toBe(0);
      expect(readdirSync(store, { recursive: true }).sort()).toEqual(before);
      await expectPulled(other, store);
    });
  });

  it('whose files may not become that large says so, and works elsewhere', async () => {
    const store = newStore();
    const refused = { code: 'store_unusable', message: /larger than files may be/ };
    expectStoreError(await runWithFileLimit(2_048, ...pullArgs(image, store)), refused);
    await expectPulled(image, store);
  });

  describe('whose root is a link', () => {
    it('is the store that it leads to', async () => {
      const store = await storeWith(image);
      const link = path.join(tempDir(), 'link');
      symlinkSync(store, link);
      const result = resultOf(await pull(other, link));
      expect(result.store).toBe(store);
      expect(faultsOf(store)).toEqual([]);
      const listed = await runCli(['images', '--store', link]);
      expect(listed.stdout).toContain('team/app');
      expect((await runCli(['rm', image.reference, '--store', link])).code).toBe(0);
      expect(existsSync(blobFile(store, layerOf(image).digest))).toBe(false);
    });

    it.each([
      ['to nothing', /leads to nothing/, (to: string) => to],
      ['to itself', /lead nowhere but to themselves/, (_: string, link: string) => link],
      [
        'to a file',
        /a file stands in its place/,
        (to: string) => {
          writeFileSync(to, 'of somebody');
          return to;
        },
      ],
    ])('%s is refused by name, and works once it leads to a folder', async (_, message, targetOf) => {
      const folder = tempDir();
      const link = path.join(folder, 'link');
      const target = targetOf(path.join(folder, 'target'), link);
      symlinkSync(target, link);
      const before = readdirSync(folder);
      expectStoreError(await pull(image, link), { code: 'store_unusable', message });
      expect(readdirSync(folder)).toEqual(before);
      rmSync(target, { force: true });
      rmSync(link, { force: true });
      mkdirSync(path.join(folder, 'real'));
      symlinkSync('real', link);
      await expectPulled(image, link);
    });
  });

  const unbound = whyUnbound();
  describe('in which permissions are missing', () => {
    if (unbound) {
      reportMissing(unbound);
      return;
    }

    it.each([
      ['that nobody may read', 0],
      ['that is private to another user', 0o600],
    ])('keeps an image with a layer %s, and says which when it is needed', async (_, mode) => {
      const store = await storeWith(image);
      const file = blobFile(store, layerOf(image).digest);
      const isOthers = process.getuid?.() === 0 && mode !== 0;
      chmodSync(file, isOthers ? mode : 0);
      if (isOthers) chownSync(file, 65_534, 65_534);
      const target = path.join(tempDir(), 'image.tar');
      const run = await runBound(...pullArgs(image, store), '--output', `docker-archive:${target}`);
      expectStoreError(run, { code: 'store_unusable', message: /read sha256:.*permission denied/ });
      expect(existsSync(target)).toBe(false);
      chmodSync(file, 0o644);
      resultOf(await runBound(...pullArgs(image, store), '--output', `docker-archive:${target}`));
      expect(faultsOf(store)).toEqual([]);
    });

    it('reads a manifest anew that it cannot read, and keeps it', async () => {
      const store = await storeWith(image);
      chmodSync(blobFile(store, image.manifestDigest), 0);
      resultOf(await runBound(...pullArgs(image, store)));
      expect(faultsOf(store)).toEqual([]);
    });

    it.each(['blobs/sha256', 'images', 'ingest'])('to write %s says so, and loses nothing', async (place) => {
      const store = await storeWith(image);
      const folder = path.join(store, place);
      chmodSync(folder, 0o555);
      const run = await runBound(...pullArgs(other, store));
      expectStoreError(run, { code: 'store_unusable', message: /permission denied/ });
      expect((await runBound('images', '--store', store)).stdout).toContain('team/app');
      chmodSync(folder, 0o755);
      await expectPulled(image, store);
      await expectPulled(other, store);
    });

    it('to look into it at all says so', async () => {
      const store = await storeWith(image);
      chmodSync(store, 0);
      const refused = { code: 'store_unusable', message: /permission denied/ };
      expectStoreError(await runBound('images', '--store', store, '--json'), refused);
      expectStoreError(await runBound(...pullArgs(image, store)), refused);
      chmodSync(store, 0o755);
      await expectPulled(other, store);
    });

    it('to read its images says so', async () => {
      const store = await storeWith(image);
      chmodSync(path.join(store, 'images'), 0);
      const refused = { code: 'store_unusable', message: /permission denied/ };
      expectStoreError(await runBound('images', '--store', store, '--json'), refused);
      expectStoreError(await runBound(...pullArgs(other, store)), refused);
      chmodSync(path.join(store, 'images'), 0o755);
      await expectPulled(other, store);
    });
  });

  describe('in which something is damaged', () => {
    const damages: readonly (readonly [string, (file: string) => void])[] = [
      ['empty', (file) => writeFileSync(file, '')],
      ['half', (file) => writeFileSync(file, readFileSync(file).subarray(0, statSync(file).size / 2))],
      ['binary', (file) => writeFileSync(file, Buffer.from([0, 255, 254, 0, 10, 128]))],
    ];
    const asFolder = (file: string) => {
      renameSync(file, `${file}.gone`);
      mkdirSync(path.join(file, 'of-somebody'), { recursive: true });
    };

    it.each(damages)('derives an index.json anew that is %s', async (_, spoil) => {
      const store = await storeWith(image);
      spoil(path.join(store, 'index.json'));
      await expectPulled(other, store);
      expect(namesIn(store, 'images')).toHaveLength(2);
    });

    it.each(damages)('writes a record again that is %s, and lists the others meanwhile', async (_, spoil) => {
      const store = await storeWith(image);
      const [record = ''] = namesIn(store, 'images');
      resultOf(await pull(other, store));
      const blobs = blobsIn(store);
      spoil(path.join(store, 'images', record));
      const listed = await runCli(['images', '--store', store]);
      expect([listed.code, listed.stdout.includes('team/small')]).toEqual([0, true]);
      expect(listed.stderr).toContain('record');
      await runCli(['prune', '--store', store]);
      expect(blobsIn(store)).toEqual(blobs);
      const { bytesFromRegistry } = resultOf(await pull(image, store));
      expect(bytesFromRegistry).toBe(0);
      expect(faultsOf(store)).toEqual([]);
    });

    it.each(damages)(
      'names its layerpull.json that is %s, and makes a new one without it',
      async (_, spoil) => {
        const store = await storeWith(image);
        const file = path.join(store, 'layerpull.json');
        spoil(file);
        const run = await pull(other, store);
        expectStoreError(run, { code: 'store_unusable', message: /layerpull\.json is damaged/ });
        expect(JSON.parse(run.stdout).error.hint).toContain('verify --repair');
        rmSync(file);
        await expectPulled(other, store);
        expect(namesIn(store, 'images')).toHaveLength(2);
      },
    );

    it.each(['index.json', 'layerpull.json', 'oci-layout'])(
      'names what stands in the place of %s',
      async (name) => {
        const store = await storeWith(image);
        const file = path.join(store, name);
        asFolder(file);
        const run = await pull(other, store);
        expectStoreError(run, { code: 'store_unusable', message: new RegExp(`${name}.*folder`) });
        expect(existsSync(path.join(file, 'of-somebody'))).toBe(true);
        rmSync(file, { recursive: true });
        renameSync(`${file}.gone`, file);
        await expectPulled(other, store);
      },
    );

    it('names a folder in the place of a record', async () => {
      const store = await storeWith(image);
      const [record = ''] = namesIn(store, 'images');
      const file = path.join(store, 'images', record);
      asFolder(file);
      rmSync(`${file}.gone`);
      const run = await pull(image, store);
      expect([run.code, run.stderr.includes('an image record cannot be read')]).toEqual([8, true]);
      expect(JSON.parse(run.stdout).error.message).toContain(`${file}: a folder stands in its place`);
      resultOf(await pull(other, store));
      rmSync(file, { recursive: true });
      await expectPulled(image, store);
    });

    it.each(['blobs/sha256', 'blobs', 'ingest', 'images'])(
      'names a file in the place of %s',
      async (name) => {
        const store = await storeWith(image);
        const folder = path.join(store, name);
        renameSync(folder, `${folder}.kept`);
        writeFileSync(folder, 'of somebody');
        const refused = { code: 'store_unusable', message: new RegExp(`/${name}.*(a file|not a folder)`) };
        expectStoreError(await pull(other, store), refused);
        expect(readFileSync(folder, 'utf8')).toBe('of somebody');
        rmSync(folder);
        renameSync(`${folder}.kept`, folder);
        await expectPulled(other, store);
        await expectPulled(image, store);
      },
    );
  });
});
