import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { checkRoom, checkStore, type DiskRoom } from '../../src/doctor/store.ts';
import { openStore } from '../../src/store/oci-layout.ts';
import { tempDir } from '../support/temp.ts';

describe('the doctor of a store', () => {
  it('names the id of one that is there', async () => {
    const store = path.join(tempDir(), 'store');
    const { blobs } = await openStore({ path: store, clock: systemClock });
    expect(await checkStore(store)).toMatchObject({
      verdict: 'ok',
      message: `${store} is a content store, id ${blobs.storeId}`,
    });
  });

  it('makes none where there is none', async () => {
    const folder = tempDir();
    const store = path.join(folder, 'deep', 'store');
    expect(await checkStore(store)).toMatchObject({
      verdict: 'ok',
      message: expect.stringContaining('not there yet'),
    });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('takes an empty folder and an OCI layout for a store to be', async () => {
    const store = tempDir();
    const expected = { verdict: 'ok', message: expect.stringContaining('becomes a content store') };
    expect(await checkStore(store)).toMatchObject(expected);
    writeFileSync(path.join(store, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    expect(await checkStore(store)).toMatchObject(expected);
  });

  it.each([
    [
      'a folder with other files',
      (store: string) => writeInto(store, 'letter.txt', ''),
      'it holds other files',
    ],
    ['a damaged one', (store: string) => writeInto(store, 'layerpull.json', '{', 'oci-layout'), 'is damaged'],
    [
      'a newer one',
      (store: string) => writeInto(store, 'layerpull.json', '{"format":99,"storeId":"x"}', 'oci-layout'),
      'newer layerpull',
    ],
    ['a file', (store: string) => writeFileSync(store, ''), 'is no folder'],
    ['a link to itself', (store: string) => symlinkSync(store, store), 'its links lead nowhere'],
  ])('refuses %s', async (_, make, message) => {
    const store = path.join(tempDir(), 'store');
    make(store);
    expect(await checkStore(store)).toMatchObject({
      verdict: 'problem',
      code: 'store_unusable',
      message: expect.stringContaining(message),
      hint: expect.any(String),
    });
  });

  it('refuses a place inside of a file', async () => {
    const file = path.join(tempDir(), 'file');
    writeFileSync(file, '');
    expect(await checkStore(path.join(file, 'store'))).toMatchObject({
      verdict: 'problem',
      code: 'store_unusable',
    });
    expect(await checkRoom(path.join(file, 'store'))).toBeUndefined();
  });
});

function writeInto(store: string, name: string, text: string, ...others: string[]): void {
  mkdirSync(store);
  for (const other of others) writeFileSync(path.join(store, other), '{}');
  writeFileSync(path.join(store, name), text);
}

describe('the room for a store', () => {
  const GiB = 1_073_741_824;
  const room = (change: Partial<DiskRoom>) => {
    return checkRoom('/srv/store', async () => ({
      bsize: 1,
      bavail: 10 * GiB,
      files: 1_000_000,
      ffree: 500_000,
      ...change,
    }));
  };

  it('is told as it is', async () => {
    const store = tempDir();
    expect((await checkRoom(store))?.message).toMatch(/^[\d,]+ MiB free where \/.*/);
    expect(await room({})).toMatchObject({ verdict: 'ok', message: '10,240 MiB free where /srv/store is' });
  });

  it.each([
    ['warning', { bavail: GiB }, undefined],
    ['problem', { bavail: 1_000_000 }, 'store_full'],
    ['warning', { ffree: 5_000 }, undefined],
    ['problem', { ffree: 3 }, 'store_full'],
    ['ok', { files: 0, ffree: 0 }, undefined],
  ])('is a %s with %o', async (verdict, change, code) => {
    expect(await room(change)).toMatchObject({
      verdict,
      ...(code ? { code, hint: expect.any(String) } : {}),
    });
  });
});
