import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { LayerpullError } from '../../src/core/errors.ts';
import { openStore } from '../../src/store/oci-layout.ts';
import type { References } from '../../src/store/references.ts';
import { listTrash, moveToTrash } from '../../src/store/trash.ts';
import { blobOf } from '../support/blobs.ts';
import { namesIn } from '../support/whole-store.ts';
import { setUpStore, token } from './support.ts';

const layer = blobOf('a layer');

/** Calls `then` right before the references are read for the `count`th time. */
function beforeRead(count: number, then: () => Promise<unknown>): (references: References) => References {
  let reads = 0;
  return (references) => ({
    ...references,
    read: async () => {
      reads += 1;
      if (reads === count) await then();
      return await references.read();
    },
  });
}

function onlyFirst<T>(first: () => Promise<T>, others: () => Promise<T>): () => Promise<T> {
  let calls = 0;
  return () => {
    calls += 1;
    return calls === 1 ? first() : others();
  };
}

describe('a deletion', () => {
  it('removes a blob that nobody needs, and leaves nothing behind', async () => {
    const { blobs, put, folder } = await setUpStore();
    await put(layer);
    expect(await blobs.delete(layer.digest, { token })).toEqual({ kind: 'deleted', bytes: layer.size });
    expect(await blobs.has(layer)).toBe(false);
    expect(namesIn(folder, 'trash')).toEqual([]);
  });

  it('refuses a blob that a running pull claims, and takes it when the claim ends', async () => {
    const { blobs, put, claim } = await setUpStore();
    await put(layer);
    const claimed = await claim(layer);
    expect(await blobs.delete(layer.digest, { token })).toEqual({ kind: 'referenced' });
    expect(await blobs.has(layer)).toBe(true);
    await claimed.release();
    expect(await blobs.delete(layer.digest, { token })).toMatchObject({ kind: 'deleted' });
  });

  it('puts the blob back for a puller that claimed and found it after the first look at the references', async () => {
    let found = false;
    const setup = await setUpStore((references) => ({
      ...references,
      read: onlyFirst(async () => {
        const book = await references.read();
        await setup.claim(layer);
        found = await setup.store.blobs.has(layer);
        return book;
      }, references.read),
    }));
    await setup.put(layer);
    expect(await setup.blobs.delete(layer.digest, { token })).toEqual({ kind: 'referenced' });
    expect(found).toBe(true);
    expect(await setup.blobs.has(layer)).toBe(true);
    expect(namesIn(setup.folder, 'trash')).toEqual([]);
  });

  it('puts the blob back, too, for one that found nothing because it had been moved away', async () => {
    let found = true;
    const setup = await setUpStore(
      beforeRead(2, async () => {
        await setup.claim(layer);
        found = await setup.store.blobs.has(layer);
      }),
    );
    await setup.put(layer);
    expect(await setup.blobs.delete(layer.digest, { token })).toEqual({ kind: 'referenced' });
    expect(found).toBe(false);
    expect(await setup.blobs.has(layer)).toBe(true);
  });

  it('does not touch what a puller published after the blob was moved away', async () => {
    const setup = await setUpStore(
      beforeRead(2, async () => {
        const claim = await setup.claim(layer);
        expect(await setup.store.blobs.has(layer)).toBe(false);
        await setup.put(layer);
        // Another tool needs it no more: only the file itself keeps it.
        await claim.release();
      }),
    );
    await setup.put(layer);
    expect(await setup.blobs.delete(layer.digest, { token })).toMatchObject({ kind: 'deleted' });
    expect(await setup.blobs.has(layer)).toBe(true);
  });

  it('leaves the blob in its place when the lock is lost before it is moved, or after', async () => {
    for (const lostAt of [1, 2]) {
      const { blobs, put, folder } = await setUpStore();
      await put(layer);
      let checks = 0;
      const check = () => {
        checks += 1;
        if (checks === lostAt) throw new LayerpullError('lock_lost', 'lost');
      };
      await expect(blobs.delete(layer.digest, { token, check })).rejects.toMatchObject({ code: 'lock_lost' });
      expect(await blobs.has(layer)).toBe(true);
      expect(namesIn(folder, 'trash')).toEqual([]);
    }
  });

  it('leaves the blob in its place when the references cannot be read any more', async () => {
    const unreadable = () => Promise.reject(new LayerpullError('store_failed', 'unreadable'));
    const { blobs, put } = await setUpStore(beforeRead(2, unreadable));
    await put(layer);
    await expect(blobs.delete(layer.digest, { token })).rejects.toMatchObject({ code: 'store_failed' });
    expect(await blobs.has(layer)).toBe(true);
  });
});

describe('what a killed deleter left in the trash', () => {
  it('goes back when somebody needs it, with the next who opens the store', async () => {
    const { layout, put, claim, blobs, folder } = await setUpStore();
    await put(layer);
    await moveToTrash(layout, layer.digest, token);
    await claim(layer);
    await openStore({ path: folder, clock: systemClock });
    expect(await blobs.has(layer)).toBe(true);
    expect(namesIn(folder, 'trash')).toEqual([]);
  });

  it('is removed when nobody does', async () => {
    const { layout, put, blobs, folder } = await setUpStore();
    await put(layer);
    await moveToTrash(layout, layer.digest, token);
    expect(await listTrash(layout)).toMatchObject([{ digest: layer.digest, size: layer.size }]);
    await openStore({ path: folder, clock: systemClock });
    expect(await blobs.has(layer)).toBe(false);
    expect(namesIn(folder, 'trash')).toEqual([]);
  });

  it('stays for those who only look', async () => {
    const { layout, put, folder } = await setUpStore();
    await put(layer);
    await moveToTrash(layout, layer.digest, token);
    const { garbage } = await openStore({ path: folder, clock: systemClock, tidy: false });
    expect(await garbage.find()).toEqual([{ kind: 'trash', digest: layer.digest, bytes: layer.size }]);
    expect(namesIn(folder, 'trash')).toHaveLength(1);
  });

  it('may be ended by another while its deleter lives: both come to the same end', async () => {
    for (const isClaimed of [true, false]) {
      const setup = await setUpStore(
        beforeRead(2, async () => {
          if (isClaimed) await setup.claim(layer);
          await openStore({ path: setup.folder, clock: systemClock });
        }),
      );
      await setup.put(layer);
      const { kind } = await setup.blobs.delete(layer.digest, { token });
      expect(kind).toBe(isClaimed ? 'referenced' : 'deleted');
      expect(await setup.blobs.has(layer)).toBe(isClaimed);
    }
  });
});
