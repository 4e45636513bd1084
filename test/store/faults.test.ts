import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { mediaTypes } from '../../src/core/descriptor.ts';
import { toSessionId } from '../../src/core/ids.ts';
import { requireWritable, storageError } from '../../src/store/files.ts';
import { openStore } from '../../src/store/oci-layout.ts';
import { blobOf } from '../support/blobs.ts';
import { tempDir } from '../support/temp.ts';
import { amd64, documentOf, imageOf, setUpStore } from './support.ts';

const layer = blobOf('the bytes of a layer');
const opened = (folder: string) => openStore({ path: folder, clock: systemClock });

function systemError(code: string, more: object = {}): Error {
  return Object.assign(new Error(`${code}: something low, write`), { code, ...more });
}

/** The next call of a method of all open files fails. */
async function failNext(method: 'writeFile' | 'writev' | 'datasync' | 'sync', code: string) {
  const handle = await open(process.execPath, 'r');
  await handle.close();
  const files: FileHandle = Object.getPrototypeOf(handle);
  return vi.spyOn(files, method).mockRejectedValueOnce(systemError(code));
}

describe('what the system says of files', () => {
  it.each([
    ['ENOSPC', 'store_full', 'no space left on the device'],
    ['EDQUOT', 'store_full', 'the disk quota is used up'],
    ['EROFS', 'store_unusable', 'the file system is read-only'],
    ['EACCES', 'store_unusable', 'permission denied'],
    ['EISDIR', 'store_unusable', 'a folder stands in its place'],
    ['EFBIG', 'store_unusable', 'this is larger than files may be here'],
    ['EXDEV', 'store_unusable', 'a part of the store lies on another file system'],
  ])('%s is told as %s, with what it was about', (code, ours, reason) => {
    const error = storageError(systemError(code), 'store this');
    expect(error).toMatchObject({ code: ours, message: `cannot store this: ${reason}`, exitCode: 8 });
    expect(error.hint).toBeDefined();
  });

  it('names the file once, and of a rename the one that it was to become', () => {
    const message = (action: string, more: object) =>
      storageError(systemError('EACCES', more), action).message;
    expect(message('store this', { path: '/s/x' })).toBe('cannot store this: /s/x: permission denied');
    expect(message('read /s/x', { path: '/s/x' })).toBe('cannot read /s/x: permission denied');
    expect(message('store this', { path: '/s/draft', dest: '/s/x' })).toContain(': /s/x: ');
  });

  it('EIO is passed on, and may be tried again', () => {
    const error = storageError(systemError('EIO'), 'store this');
    expect(error).toMatchObject({ code: 'store_failed', retryable: true });
    expect(error.message).toBe('cannot store this: EIO: something low, write');
  });
});

describe('a partial that is not what was written any more when it is published', () => {
  it.each([
    ['a link', (file: string, other: string) => symlinkSync(other, file)],
    ['a hard link', (file: string, other: string) => linkSync(other, file)],
    ['a folder', (file: string) => mkdirSync(file)],
    ['another file', (file: string) => writeFileSync(file, 'x'.repeat(layer.size))],
  ])('but %s is refused', async (_, replace) => {
    const { folder, blobs } = await setUpStore();
    const foreign = path.join(tempDir(), 'foreign');
    writeFileSync(foreign, 'x'.repeat(layer.size));
    const ingest = await blobs.ingest(layer, { session: toSessionId('a') });
    await ingest.write(layer.bytes);
    const partial = path.join(folder, 'ingest', layer.digest.replace(':', '-'), 'a-alone');
    renameSync(partial, `${partial}.moved`);
    replace(partial, foreign);
    const message = expect.stringContaining(`${partial} was replaced while it was written`);
    await expect(ingest.commit()).rejects.toMatchObject({ code: 'store_failed', message });
    expect(await blobs.has(layer)).toBe(false);
    expect(readdirSync(path.join(folder, 'blobs/sha256'))).toEqual([]);
    expect(readFileSync(foreign, 'utf8')).toBe('x'.repeat(layer.size));
  });
});

describe('a write that fails', () => {
  const config = documentOf({ architecture: 'amd64', os: 'linux' }, mediaTypes.ociConfig);
  const manifest = imageOf(config, layer);

  it.each(['writev', 'datasync'] as const)(
    'at the %s of a blob keeps the partial and publishes nothing',
    async (method) => {
      const { folder, blobs } = await setUpStore();
      const ingest = await blobs.ingest(layer, { session: toSessionId('a') });
      await ingest.write(layer.bytes);
      const failing = await failNext(method, 'ENOSPC');
      await expect(ingest.commit()).rejects.toMatchObject({ code: 'store_full' });
      failing.mockRestore();
      expect(await blobs.has(layer)).toBe(false);
      expect(readdirSync(path.join(folder, 'ingest', layer.digest.replace(':', '-')))).toEqual(['a-alone']);
      const next = await blobs.ingest(layer, { session: toSessionId('b') });
      await next.write(layer.bytes.subarray(next.offset));
      await next.commit();
      expect(await blobs.has(layer)).toBe(true);
      expect(readdirSync(path.join(folder, 'ingest'))).toEqual([]);
    },
  );

  it.each(['writeFile', 'sync'] as const)(
    'at the %s of a record keeps the images as they were',
    async (method) => {
      const { folder, store } = await setUpStore();
      const old = { name: 'team/old:1', platform: amd64, manifest };
      await store.images.record(old);
      const index = readFileSync(path.join(folder, 'index.json'));
      const failing = await failNext(method, 'ENOSPC');
      const added = { ...old, name: 'team/new:1' };
      await expect(store.images.record(added)).rejects.toMatchObject({ code: 'store_full' });
      failing.mockRestore();
      expect((await store.images.list()).map(({ name }) => name)).toEqual(['team/old:1']);
      expect(readFileSync(path.join(folder, 'index.json')).equals(index)).toBe(true);
      expect(readdirSync(path.join(folder, 'ingest'))).toEqual([]);
      await store.images.record(added);
      expect(await store.images.list()).toHaveLength(2);
    },
  );

  it('of a document leaves no half of it', async () => {
    const { folder, store } = await setUpStore();
    const failing = await failNext('writeFile', 'EDQUOT');
    await expect(store.putDocument(manifest, manifest.bytes)).rejects.toMatchObject({ code: 'store_full' });
    failing.mockRestore();
    expect(readdirSync(path.join(folder, 'blobs/sha256'))).toEqual([]);
    expect(readdirSync(path.join(folder, 'ingest'))).toEqual([]);
  });
});

describe('the folder of a store', () => {
  it('below a link that leads nowhere is refused, and nothing is made', async () => {
    const folder = tempDir();
    symlinkSync(path.join(folder, 'gone'), path.join(folder, 'link'));
    for (const wanted of ['link', 'link/store', 'link/much/deeper']) {
      const message = expect.stringContaining(`${path.join(folder, 'link')} is a link that leads to nothing`);
      await expect(opened(path.join(folder, wanted))).rejects.toMatchObject({
        code: 'store_unusable',
        message,
      });
    }
    expect(readdirSync(folder)).toEqual(['link']);
  });

  it('may be reached by links, and is named by where it is', async () => {
    const folder = tempDir();
    mkdirSync(path.join(folder, 'real'));
    symlinkSync('real', path.join(folder, 'one'));
    symlinkSync('one', path.join(folder, 'two'));
    const { blobs } = await opened(path.join(folder, 'two/store'));
    expect(blobs.path).toBe(path.join(folder, 'real/store'));
    expect(lstatSync(path.join(folder, 'two')).isSymbolicLink()).toBe(true);
  });

  it('that is gone cannot be changed, and is named', async () => {
    const { folder } = await setUpStore();
    await expect(requireWritable(folder)).resolves.toBeUndefined();
    rmSync(folder, { recursive: true });
    const message = expect.stringContaining(`change the store ${folder}`);
    await expect(requireWritable(folder)).rejects.toMatchObject({ exitCode: 8, message });
    expect(existsSync(folder)).toBe(false);
  });
});
