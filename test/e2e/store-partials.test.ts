import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { onCleanup } from '../support/cleanup.ts';
import { reportMissing } from '../support/components.ts';
import { createFakeRegistry, type FakeBlob } from '../support/fake-registry.ts';
import { runBound, whyUnbound } from '../support/own-mounts.ts';
import { resultOf, startPull } from '../support/pulls.ts';
import { soon } from '../support/soon.ts';
import { tempDir } from '../support/temp.ts';
import { faultsOf, namesIn } from '../support/whole-store.ts';

const mib = 1_048_576;
const size = 4 * mib;

/** A pull that stands in the middle of its only layer, with more than a MiB of it on disk. */
async function setUp() {
  const registry = await createFakeRegistry();
  onCleanup(() => registry.close());
  const image = registry.addImage({ layers: [size] });
  const [layer] = image.layers;
  if (!layer) throw new Error('the image has no layer');
  const store = path.join(tempDir(), 'store');
  const gate = registry.hold(layer.digest, 3 * mib);
  const { reference } = image;
  const pull = await startPull({ reference, store });
  await gate.reached;
  const name = partialsOf(layer);
  await soon(async () => {
    const [first = ''] = namesIn(store, 'ingest', name);
    expect(statSync(path.join(store, 'ingest', name, first)).size).toBeGreaterThanOrEqual(mib);
  });
  const [first = ''] = namesIn(store, 'ingest', name);
  const partial = path.join(store, 'ingest', name, first);
  return { registry, layer, reference, store, pull, gate, partial };
}

function partialsOf({ digest }: FakeBlob): string {
  return digest.replace(':', '-');
}

/** A file of somebody else, or as much of somebody else as this user can make. */
function foreignFile(bytes: number, mode: number): string {
  const file = path.join(tempDir(), 'of-somebody');
  writeFileSync(file, Buffer.alloc(bytes, 'secret '));
  chmodSync(file, mode);
  if (process.getuid?.() === 0) chownSync(file, 65_534, 65_534);
  return file;
}

describe('a partial that was left and then replaced', () => {
  const unbound = whyUnbound();
  if (unbound) {
    reportMissing(unbound);
    return;
  }
  const kinds: readonly (readonly [string, number, number, (file: string, foreign: string) => void])[] = [
    ['a link to a file of another user', 2 * mib, 0o644, (file, foreign) => symlinkSync(foreign, file)],
    ['a link to nothing', 1, 0o644, (file, foreign) => symlinkSync(`${foreign}.gone`, file)],
    ['a hard link to a file of another user', 2 * mib, 0o644, (file, foreign) => linkSync(foreign, file)],
    ['a hard link to a file that it may not read', mib, 0o600, (file, foreign) => linkSync(foreign, file)],
    ['a hard link to a larger file', 2 * size, 0o644, (file, foreign) => linkSync(foreign, file)],
    ['a folder', 1, 0o644, (file) => mkdirSync(path.join(file, 'deeper'), { recursive: true })],
    ['a fifo', 1, 0o644, (file) => void execFileSync('mkfifo', [file])],
  ];

  it.each(kinds)('by %s is neither followed nor written', async (_, bytes, mode, replace) => {
    const { reference, store, pull, gate, partial } = await setUp();
    pull.kill('SIGKILL');
    await pull.exited;
    gate.release();
    const foreign = foreignFile(bytes, mode);
    const before = readFileSync(foreign);
    rmSync(partial);
    replace(partial, foreign);
    const { mtimeMs, ino } = lstatSync(foreign);
    const args = ['pull', reference, '--store', store, '--json', '--progress', 'none'];
    resultOf(await runBound(...args));
    expect(readFileSync(foreign).equals(before)).toBe(true);
    expect(lstatSync(foreign)).toMatchObject({ mtimeMs, ino, nlink: 1 });
    expect(existsSync(`${foreign}.gone`)).toBe(false);
    expect(faultsOf(store)).toEqual([]);
    expect(namesIn(store, 'ingest')).toEqual([]);
  });
});

describe('a pull whose partial is tampered with while it writes', () => {
  it.each([
    ['gone', (partial: string) => rmSync(partial)],
    [
      'gone with all of ingest',
      (partial: string) => rmSync(path.join(partial, '../..'), { recursive: true }),
    ],
    [
      'gone, and a folder in its place',
      (partial: string) => {
        rmSync(partial);
        mkdirSync(path.join(partial, 'deeper'), { recursive: true });
      },
    ],
  ])('that is %s says so, and the next pull works', async (_, tamper) => {
    const { reference, store, pull, gate, partial } = await setUp();
    tamper(partial);
    gate.release();
    const run = await pull.result();
    const { error } = JSON.parse(run.stdout);
    expect(error).toMatchObject({ exitCode: 8, message: expect.stringContaining('cannot store sha256:') });
    resultOf(await (await startPull({ reference, store })).result());
    expect(faultsOf(store)).toEqual([]);
  });

  it('whose file became a link to that of another user publishes no link', async () => {
    const { reference, store, pull, gate, partial, layer } = await setUp();
    const foreign = foreignFile(size, 0o644);
    renameSync(partial, `${partial}.moved`);
    symlinkSync(foreign, partial);
    gate.release();
    const { error } = JSON.parse((await pull.result()).stdout);
    expect(error).toMatchObject({ code: 'store_failed', message: expect.stringContaining('was replaced') });
    resultOf(await (await startPull({ reference, store })).result());
    expect(lstatSync(path.join(store, 'blobs/sha256', layer.digest.slice(7))).isFile()).toBe(true);
    expect(faultsOf(store)).toEqual([]);
    expect(readFileSync(foreign).subarray(0, 7).toString()).toBe('secret ');
  });
});
