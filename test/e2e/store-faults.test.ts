import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { onCleanup } from '../support/cleanup.ts';
import { type CliOptions, runCli } from '../support/cli.ts';
import { asPlainUser, giveBack, makeReadOnly, takeAway } from '../support/plain-user.ts';
import { setUpPull } from '../support/planned-pulls.ts';
import { createSmallDisk, pretendSmallDisk } from '../support/small-disk.ts';
import { tempDir } from '../support/temp.ts';
import { blobFile, faultsOf, namesIn } from '../support/whole-store.ts';

const linux = ['--platform', 'linux/amd64'];

/** A registry with two images, and a store that has the first if it is `pulled`. */
async function setUp() {
  const { fake, store } = await setUpPull();
  const first = fake.addImage({ repository: 'team/first', layers: [40_000] });
  const second = fake.addImage({ repository: 'team/second', layers: [50_000, 300_000] });
  const run = async (command: string, args: readonly string[], at = store, options: CliOptions = {}) => {
    const { code, stdout, stderr } = await runCli([command, ...args, '--store', at, '--json'], options);
    return { code, stderr, ...JSON.parse(stdout) };
  };
  const pull = (reference: string, at = store, options: CliOptions = {}) =>
    run('pull', [reference, ...linux], at, options);
  return { fake, store, first, second, run, pull };
}

/** No error of ours shows where in the program it was made. */
const noStack = expect.not.stringMatching(/^\s+at /m);

/** How often the coordination of the store was taken over. */
const epochOf = (store: string): number =>
  JSON.parse(readFileSync(path.join(store, 'coordinator.lock'), 'utf8')).epoch;

describe('a store on a disk that is full', () => {
  it('says so, and the next pull goes on where it was', async () => {
    const { fake, first, second, pull } = await setUp();
    const disk = await createSmallDisk(250_000);
    const store = path.join(disk.folder, 'store');
    expect((await pull(first.reference, store, disk.options())).code).toBe(0);
    const full = await pull(second.reference, store, disk.options());
    expect(full).toMatchObject({ code: 8, stderr: noStack, error: { code: 'store_full', exitCode: 8 } });
    expect(full.error.message).toContain('no space left on the device');
    expect(full.error.hint).toContain('free space');
    const seen = path.join(disk.seen, 'store');
    expect(faultsOf(seen)).toEqual([]);
    expect(namesIn(seen, 'images')).toHaveLength(1);
    expect(namesIn(seen, 'references')).toEqual([]);
    await disk.grow();
    const before = fake.requests.length;
    expect((await pull(second.reference, store, disk.options())).code).toBe(0);
    expect(faultsOf(seen)).toEqual([]);
    const large = second.layers[1]?.digest ?? '';
    const asked = fake.requests.slice(before).filter((request) => request.path.endsWith(large));
    expect(asked.map(({ range }) => range)).toEqual([expect.stringMatching(/^bytes=\d+-/)]);
  });

  it.each([0, 40, 200, 700, 2_000, 30_000, 51_000, 200_000, 351_000, 352_500])(
    'loses nothing when %i bytes had room',
    async (bytes) => {
      const { store, first, second, pull } = await setUp();
      expect((await pull(first.reference)).code).toBe(0);
      const disk = pretendSmallDisk(bytes);
      const full = await pull(second.reference, store, disk.options());
      expect(full).toMatchObject({ code: 8, stderr: noStack, error: { code: 'store_full' } });
      // The records are the truth: an index that had no room is derived from them again.
      expect(faultsOf(store).filter((fault) => !fault.includes('index.json'))).toEqual([]);
      expect(epochOf(store)).toBeGreaterThanOrEqual(1);
      expect((await pull(second.reference)).code).toBe(0);
      expect(faultsOf(store)).toEqual([]);
      expect(namesIn(store, 'images')).toHaveLength(2);
      expect(namesIn(store, 'ingest')).toEqual([]);
    },
  );

  it('is not made where there is no room for it, and can be made later', async () => {
    const { store, first, pull } = await setUp();
    const full = await pull(first.reference, store, pretendSmallDisk(0).options());
    expect(full).toMatchObject({ code: 8, error: { code: 'store_full' } });
    expect((await pull(first.reference)).code).toBe(0);
    expect(faultsOf(store)).toEqual([]);
  });
});

/** Every folder of a store, the store first. */
function foldersOf(folder: string): string[] {
  const inside = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [folder, ...inside.flatMap((entry) => foldersOf(path.join(folder, entry.name)))];
}

describe('a store that may only be read', () => {
  it('can be looked at and verified; a pull says what it may not do, and the next one works', async () => {
    const { store, first, second, run, pull } = await setUp();
    const options = { via: asPlainUser };
    await pull(first.reference);
    const folders = foldersOf(store);
    onCleanup(() => folders.forEach(giveBack));
    folders.forEach(makeReadOnly);
    expect(await run('images', [], store, options)).toMatchObject({
      code: 0,
      images: [{ name: first.reference }],
    });
    expect((await run('inspect', [first.reference], store, options)).code).toBe(0);
    expect(await run('verify', [], store, options)).toMatchObject({ code: 0, problems: [] });
    expect((await pull(first.reference, store, options)).code).toBe(0);
    const refused = await pull(second.reference, store, options);
    expect(refused).toMatchObject({ code: 8, stderr: noStack, error: { code: 'store_unusable' } });
    expect(refused.error.message).toContain('permission denied');
    folders.forEach(giveBack);
    expect(faultsOf(store)).toEqual([]);
    expect((await pull(second.reference, store, options)).code).toBe(0);
    expect(faultsOf(store)).toEqual([]);
  });

  it('is not repaired, and says so', async () => {
    const { store, first, run, pull } = await setUp();
    await pull(first.reference);
    rmSync(path.join(store, 'index.json'));
    const folders = foldersOf(store);
    onCleanup(() => folders.forEach(giveBack));
    folders.forEach(makeReadOnly);
    const refused = await run('verify', ['--repair'], store, { via: asPlainUser });
    expect(refused).toMatchObject({ code: 8, stderr: noStack, error: { code: 'store_unusable' } });
  });

  it('cannot be made where its user may not write', async () => {
    const { first, pull } = await setUp();
    const parent = path.join(tempDir(), 'parent');
    mkdirSync(parent);
    onCleanup(() => giveBack(parent));
    makeReadOnly(parent);
    const refused = await pull(first.reference, path.join(parent, 'store'), { via: asPlainUser });
    expect(refused).toMatchObject({ code: 8, stderr: noStack, error: { code: 'store_unusable' } });
    expect(refused.error.message).toContain('permission denied');
  });
});

describe('a store behind a link', () => {
  it('is the store that the link leads to', async () => {
    const { store, first, second, run, pull } = await setUp();
    const link = path.join(tempDir(), 'link');
    mkdirSync(store);
    symlinkSync(store, link);
    expect(await pull(first.reference, link)).toMatchObject({ code: 0, store });
    expect((await pull(second.reference)).code).toBe(0);
    expect((await run('images', [], link)).images).toHaveLength(2);
    expect(await run('verify', [], link)).toMatchObject({ code: 0, images: 2 });
    expect((await run('rm', [first.reference], link)).code).toBe(0);
    expect(faultsOf(store)).toEqual([]);
  });

  it.each([
    ['leads to nothing', '/nowhere/at/all'],
    ['leads to itself', 'link'],
  ])('is refused when the link %s', async (_, target) => {
    const { first, pull } = await setUp();
    const link = path.join(tempDir(), 'link');
    symlinkSync(target, link);
    const refused = await pull(first.reference, link);
    expect(refused).toMatchObject({ code: 8, stderr: noStack, error: { code: 'store_unusable' } });
    expect(refused.error.message).toContain(link);
  });
});

describe('the place of a partial', () => {
  /** Where a pull keeps what it has of a layer. */
  async function brokenOff() {
    const stage = await setUp();
    const { digest, bytes } = stage.second.layers[1] ?? stage.first.config;
    const folder = path.join(stage.store, 'ingest', digest.replace(':', '-'));
    await stage.pull(stage.first.reference);
    const outside = path.join(tempDir(), 'outside');
    mkdirSync(outside);
    writeFileSync(path.join(outside, 'theirs'), bytes.subarray(0, 1_000));
    return { ...stage, folder, outside };
  }

  async function expectWhole({ store, second, pull, outside }: Awaited<ReturnType<typeof brokenOff>>) {
    const pulled = await pull(second.reference);
    expect(pulled.code, pulled.stderr).toBe(0);
    expect(faultsOf(store)).toEqual([]);
    expect(namesIn(store, 'ingest')).toEqual([]);
    expect(readdirSync(outside)).toEqual(['theirs']);
    expect(readFileSync(path.join(outside, 'theirs'))).toHaveLength(1_000);
  }

  it('taken by a link that leads out of the store is not followed', async () => {
    const stage = await brokenOff();
    symlinkSync(stage.outside, stage.folder);
    await expectWhole(stage);
  });

  it('taken by a link to a file is not written through', async () => {
    const stage = await brokenOff();
    symlinkSync(path.join(stage.outside, 'theirs'), stage.folder);
    await expectWhole(stage);
  });

  it('taken by a file is taken back', async () => {
    const stage = await brokenOff();
    writeFileSync(stage.folder, 'a file');
    await expectWhole(stage);
  });

  it('that holds links and folders is used all the same', async () => {
    const stage = await brokenOff();
    mkdirSync(path.join(stage.folder, 'a-folder', 'in-it'), { recursive: true });
    symlinkSync(path.join(stage.outside, 'theirs'), path.join(stage.folder, 'a-link'));
    symlinkSync('/nowhere/at/all', path.join(stage.folder, 'a-link-to-nothing'));
    await expectWhole(stage);
  });

  it('that holds the partial of another user, who lets nobody read it, is used all the same', async () => {
    const stage = await brokenOff();
    mkdirSync(stage.folder);
    const theirs = path.join(stage.folder, 'theirs');
    writeFileSync(theirs, stage.second.layers[1]?.bytes.subarray(0, 1_000) ?? '');
    takeAway(theirs);
    const options = { via: asPlainUser };
    expect((await stage.pull(stage.second.reference, stage.store, options)).code).toBe(0);
    expect(faultsOf(stage.store)).toEqual([]);
  });
});

describe('a blob of another user', () => {
  it('that may not be read is named, and all works once it may', async () => {
    const { store, first, pull, run } = await setUp();
    const options = { via: asPlainUser };
    await pull(first.reference);
    const layer = blobFile(store, first.layers[0]?.digest ?? '');
    takeAway(layer);
    const archive = path.join(tempDir(), 'image.tar');
    const args = [first.reference, ...linux, '--output', `oci-archive:${archive}`];
    const refused = await run('pull', args, store, options);
    expect(refused).toMatchObject({ code: 8, stderr: noStack, error: { origin: 'store' } });
    expect(refused.error.message).toContain(first.layers[0]?.digest);
    expect(refused.error.message).toContain('permission denied');
    expect(existsSync(archive)).toBe(false);
    giveBack(layer);
    expect((await run('pull', args, store, options)).code).toBe(0);
  });

  it('is no obstacle where it is a manifest: that is taken from the registry again', async () => {
    const { store, first, pull, run } = await setUp();
    const options = { via: asPlainUser };
    await pull(first.reference);
    takeAway(blobFile(store, first.manifest.digest));
    expect((await pull(first.reference, store, options)).code).toBe(0);
    expect(await run('verify', [], store, options)).toMatchObject({ code: 0, problems: [] });
  });
});

describe('a damaged index.json', () => {
  it.each([
    ['nothing', ''],
    ['half of it', '{"schemaVersion":2,"mani'],
    ['another type', '[1,2]'],
    ['bytes that are no text', '\u0000\u0001'],
  ])('(%s) is written anew by the next pull', async (_, text) => {
    const { store, first, second, pull } = await setUp();
    await pull(first.reference);
    writeFileSync(path.join(store, 'index.json'), text);
    expect((await pull(second.reference)).code).toBe(0);
    expect(faultsOf(store)).toEqual([]);
    writeFileSync(path.join(store, 'index.json'), text);
    expect((await pull(first.reference)).code).toBe(0);
    expect(faultsOf(store)).toEqual([]);
  });

  it('that is a folder is named, and all works once it is away', async () => {
    const { store, first, second, pull } = await setUp();
    await pull(first.reference);
    rmSync(path.join(store, 'index.json'));
    mkdirSync(path.join(store, 'index.json'));
    const refused = await pull(second.reference);
    expect(refused).toMatchObject({ code: 8, stderr: noStack, error: { origin: 'store' } });
    expect(refused.error.message).toMatch(/index\.json|folder|directory/);
    renameSync(path.join(store, 'index.json'), path.join(tempDir(), 'away'));
    expect((await pull(second.reference)).code).toBe(0);
    expect(faultsOf(store)).toEqual([]);
  });
});

describe('a damaged layerpull.json', () => {
  it.each([
    ['nothing', ''],
    ['half of it', '{"format":1,"sto'],
    ['no name', '{"format":1,"storeId":""}'],
  ])('(%s) is named with what to do, and nothing is lost', async (_, text) => {
    const { store, first, second, run, pull } = await setUp();
    await pull(first.reference);
    const file = path.join(store, 'layerpull.json');
    writeFileSync(file, text);
    const refused = await pull(second.reference);
    expect(refused).toMatchObject({ code: 8, stderr: noStack, error: { code: 'store_unusable' } });
    expect(refused.error.message).toBe(`${file} is damaged`);
    expect(refused.error.hint).toContain('layerpull verify --repair');
    expect((await run('images', [])).images).toHaveLength(1);
    expect((await run('verify', ['--repair'])).code).toBe(0);
    expect((await pull(second.reference)).code).toBe(0);
    expect(faultsOf(store)).toEqual([]);
  });

  it('that may not be read is named as such', async () => {
    const { store, first, second, pull } = await setUp();
    await pull(first.reference);
    const file = path.join(store, 'layerpull.json');
    takeAway(file);
    const refused = await pull(second.reference, store, { via: asPlainUser });
    expect(refused).toMatchObject({ code: 8, error: { code: 'store_unusable' } });
    expect(refused.error.message).toContain('permission denied');
    giveBack(file);
    chmodSync(file, 0o644);
    expect((await pull(second.reference, store, { via: asPlainUser })).code).toBe(0);
  });
});
