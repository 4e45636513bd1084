import { spawnSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { digestHex } from '../../src/core/digest.ts';
import type { ShelfEntry } from '../../src/store/shelf.ts';
import { blobOf } from '../support/blobs.ts';
import { onCleanup } from '../support/cleanup.ts';
import { setUpStore, token } from './support.ts';

const blob = blobOf('a blob that a program needs');
const entryOf = ({ digest, size }: typeof blob): ShelfEntry => ({
  digest,
  size,
  createdAtMs: 1,
  updatedAtMs: 2,
  labels: { k: 'v' },
});

async function setUpShelf(name = 'node-a') {
  const setup = await setUpStore();
  const shelf = await setup.store.shelf(name);
  onCleanup(() => shelf.close());
  return { ...setup, shelf };
}

describe('a shelf', () => {
  it('keeps entries over the life of its process', async () => {
    const { store, shelf } = await setUpShelf();
    const changed = { ...entryOf(blob), labels: { other: 'label' } };
    await shelf.put(entryOf(blob));
    await shelf.put(changed);
    await shelf.put(entryOf(blobOf('another')));
    await shelf.remove(blobOf('another').digest);
    await shelf.remove(blobOf('another').digest);
    await shelf.close();
    const next = await store.shelf('node-a');
    onCleanup(() => next.close());
    expect(await next.entries()).toEqual([changed]);
  });

  it('belongs to one at a time, as long as that lives', async () => {
    const { store, folder, shelf } = await setUpShelf();
    await expect(store.shelf('node-a')).rejects.toMatchObject({ code: 'data_in_use' });
    await (await store.shelf('node-b')).close();
    await shelf.close();
    await shelf.close();
    const code = `require('fs-native-extensions').tryLock(require('fs').openSync(process.argv[1], 'r+')); process.kill(process.pid, 9)`;
    spawnSync(process.execPath, ['-e', code, path.join(folder, 'containerd', 'node-a', 'lock')]);
    await (await store.shelf('node-a')).close();
  });

  it.each(['../../x', 'a/b', '.', '', 'ü', 'x'.repeat(200)])(
    'has a folder of its own for any name: %s',
    async (name) => {
      const { folder, store, shelf } = await setUpShelf(name);
      await (await store.shelf(`${name}/`)).close();
      expect(path.dirname(shelf.folder)).toBe(path.join(folder, 'containerd'));
      expect(readdirSync(path.join(folder, 'containerd'))).toHaveLength(2);
    },
  );

  it('leaves out entries that are damaged or speak of another blob', async () => {
    const { shelf } = await setUpShelf();
    const other = blobOf('another');
    const file = (digest: typeof blob.digest) =>
      path.join(shelf.folder, 'catalog', `sha256-${digestHex(digest)}.json`);
    await shelf.put(entryOf(blob));
    writeFileSync(file(other.digest), JSON.stringify({ format: 1, ...entryOf(blob) }));
    writeFileSync(path.join(shelf.folder, 'catalog', 'x.json'), 'no entry');
    expect(await shelf.entries()).toEqual([entryOf(blob)]);
  });

  it('makes a file a blob', async () => {
    const { shelf, blobs } = await setUpShelf();
    const file = path.join(shelf.folder, 'own');
    writeFileSync(file, blob.bytes);
    await shelf.adopt(file, blob.digest);
    expect(await blobs.has(blob)).toBe(true);
    expect(readdirSync(shelf.folder)).not.toContain('own');
    await expect(shelf.adopt(file, blob.digest)).rejects.toMatchObject({ code: 'store_failed' });
  });

  it('opens blobs, also for one that removes them meanwhile', async () => {
    const { shelf, blobs, put } = await setUpShelf();
    await expect(shelf.open(blob.digest)).rejects.toMatchObject({ code: 'blob_not_found' });
    expect(await shelf.sizeOf(blob.digest)).toBeUndefined();
    await put(blob);
    expect(await shelf.sizeOf(blob.digest)).toBe(blob.size);
    const open = await shelf.open(blob.digest);
    await blobs.delete(blob.digest, { token });
    expect(await open.read(2, 4)).toEqual(blob.bytes.subarray(2, 6));
    expect(await open.read(blob.size - 3, 100)).toEqual(blob.bytes.subarray(-3));
    expect(await open.read(blob.size + 3, 100)).toEqual(Buffer.alloc(0));
    await open.close();
    await open.close();
  });
});

describe('the references of a shelf', () => {
  it('keep a blob from being removed until its entry is', async () => {
    const { shelf, blobs, references, put } = await setUpShelf();
    await put(blob);
    await shelf.put(entryOf(blob));
    expect((await references.read()).of(blob.digest)).toEqual([{ kind: 'containerd', name: 'node-a' }]);
    expect(await blobs.delete(blob.digest, { token })).toEqual({ kind: 'referenced' });
    await shelf.remove(blob.digest);
    expect(await blobs.delete(blob.digest, { token })).toMatchObject({ kind: 'deleted' });
  });

  it('do without what is no shelf', async () => {
    const { folder, shelf, references } = await setUpShelf();
    writeFileSync(path.join(folder, 'containerd', 'file'), '');
    writeFileSync(path.join(shelf.folder, 'catalog', 'file'), '');
    expect((await references.read()).unreadable).toEqual([]);
  });
});
