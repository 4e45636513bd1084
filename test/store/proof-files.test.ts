import { readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import { createStoredProofs } from '../../src/store/proof-files.ts';
import { tempDir } from '../support/temp.ts';

const repository = 'registry.example/app';
const proof = { caller: 'anonymous', digest: digestOf(Buffer.from('x')), tag: 'latest', provedAtMs: 5 };

test('what was written is read again, by another process too', async () => {
  const root = tempDir();
  await createStoredProofs(root).write(repository, [proof]);
  expect(await createStoredProofs(root).read(repository)).toEqual([proof]);
  expect(await createStoredProofs(root).read('registry.example/other')).toEqual([]);
});

test('the key stays the same for a store, is random, and is for its owner alone', async () => {
  const root = tempDir();
  const key = await createStoredProofs(root).key();
  expect(key).toHaveLength(32);
  expect(await createStoredProofs(root).key()).toEqual(key);
  expect(await createStoredProofs(tempDir()).key()).not.toEqual(key);
  await createStoredProofs(root).write(repository, [proof]);
  expect(statSync(path.join(root, 'mirror')).mode & 0o777).toBe(0o700);
  for (const name of readdirSync(path.join(root, 'mirror'))) {
    expect(statSync(path.join(root, 'mirror', name)).mode & 0o777).toBe(0o600);
  }
});

test('processes that make the key at the same time agree on one', async () => {
  const root = tempDir();
  const keys = await Promise.all(Array.from({ length: 8 }, () => createStoredProofs(root).key()));
  const kept = await createStoredProofs(root).key();
  for (const key of keys) expect(key).toEqual(kept);
});

test('a file that is damaged, of another repository, or no file proves nothing', async () => {
  const root = tempDir();
  const proofs = createStoredProofs(root);
  await proofs.write(repository, [proof]);
  const folder = path.join(root, 'mirror');
  const file = path.join(folder, readdirSync(folder).find((name) => name.endsWith('.json')) ?? '');
  const whole = readFileSync(file, 'utf8');
  for (const text of [
    '',
    '{',
    '[]',
    whole.slice(0, -10),
    whole.replace('app', 'oth'),
    whole.replace(/\d+\}/, '"a"}'),
  ]) {
    writeFileSync(file, text);
    expect(await proofs.read(repository)).toEqual([]);
  }
  writeFileSync(file, whole);
  expect(await proofs.read(repository)).toEqual([proof]);
});

test('a folder that cannot be used is named', async () => {
  const root = tempDir();
  symlinkSync('/nowhere/at/all', path.join(root, 'mirror'));
  await expect(createStoredProofs(root).write(repository, [proof])).rejects.toMatchObject({
    origin: 'store',
  });
  await expect(createStoredProofs(root).key()).rejects.toMatchObject({ origin: 'store' });
});
