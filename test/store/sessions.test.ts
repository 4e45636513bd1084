import { cpSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { toSessionId } from '../../src/core/ids.ts';
import { openStore } from '../../src/store/oci-layout.ts';
import { createSessions } from '../../src/store/sessions.ts';
import { blobOf } from '../support/blobs.ts';
import { tempDir } from '../support/temp.ts';

const one = toSessionId('one');
const dayMs = 24 * 3_600_000;

async function openSessions(root = path.join(tempDir(), 'store')) {
  const { blobs } = await openStore({ path: root, clock: systemClock });
  const { storeId } = blobs;
  return { root, storeId, sessions: createSessions(root, Date.now) };
}

const filesIn = (root: string) => readdirSync(path.join(root, 'sessions'));
const nameOf = (root: string) => JSON.parse(readFileSync(path.join(root, 'layerpull.json'), 'utf8')).storeId;

describe('the sessions of a store', () => {
  it('find each other from their beginning to their end', async () => {
    const { root, sessions } = await openSessions();
    const other = createSessions(root, Date.now);
    expect(await other.isHere(one)).toBe(false);
    await sessions.enter(one);
    expect(await other.isHere(one)).toBe(true);
    await sessions.leave(one);
    await sessions.leave(one);
    expect(await other.isHere(one)).toBe(false);
    expect(filesIn(root)).toEqual([]);
  });

  it('leave nothing outside of their folder, whatever they are called', async () => {
    const { root, sessions } = await openSessions();
    const hostile = toSessionId('../../layerpull.json');
    expect(await sessions.isHere(hostile)).toBe(false);
    await sessions.enter(hostile);
    expect(await sessions.isHere(hostile)).toBe(true);
    expect(filesIn(root)).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
  });

  it('are forgotten after a day without a touch', async () => {
    const { root, sessions } = await openSessions();
    for (const id of ['old', 'touched']) {
      await sessions.enter(toSessionId(id));
      const before = new Date(Date.now() - dayMs);
      utimesSync(path.join(root, 'sessions', id), before, before);
    }
    await sessions.touch(toSessionId('touched'));
    await sessions.enter(one);
    expect(filesIn(root).sort()).toEqual(['one', 'touched']);
  });

  it('fail with a storage error where their file cannot be written', async () => {
    const { root, sessions } = await openSessions();
    writeFileSync(path.join(root, 'sessions'), 'no folder');
    await expect(sessions.enter(one)).rejects.toMatchObject({ code: 'store_unusable' });
    await expect(sessions.isHere(one)).rejects.toMatchObject({ code: 'store_unusable' });
  });

  it('tell whether there is a blob', async () => {
    const { root, sessions } = await openSessions();
    const { digest, bytes } = blobOf('a layer');
    expect(await sessions.hasBlob(digest)).toBe(false);
    writeFileSync(path.join(root, 'blobs', ...digest.split(':')), bytes);
    expect(await sessions.hasBlob(digest)).toBe(true);
  });
});

describe('a store that gets a name of its own', () => {
  it('has one new name, however many processes give it one at once', async () => {
    const { root, storeId } = await openSessions();
    const all = Array.from({ length: 20 }, () => createSessions(root, Date.now));
    const names = new Set(await Promise.all(all.map((sessions) => sessions.rename(storeId))));
    expect(names.size).toBe(1);
    expect(names).not.toContain(storeId);
    expect(names).toContain(nameOf(root));
    expect((await openSessions(root)).storeId).toBe(nameOf(root));
  });

  it('keeps the name that another process gave it meanwhile', async () => {
    const { root, storeId, sessions } = await openSessions();
    const name = await sessions.rename(storeId);
    expect(await createSessions(root, Date.now).rename(storeId)).toBe(name);
    expect(await sessions.rename(name)).not.toBe(name);
  });

  it('has another name than each copy of it, and each copy of a copy', async () => {
    const { root, storeId, sessions } = await openSessions();
    const copies = [1, 2].map(() => path.join(tempDir(), 'copy'));
    const names = [storeId, await sessions.rename(storeId)];
    for (const copy of copies) {
      cpSync(root, copy, { recursive: true });
      const known = nameOf(copy);
      names.push(await createSessions(copy, Date.now).rename(known));
    }
    expect(new Set(names).size).toBe(4);
  });

  it('keeps its old name where the new one cannot be written', async () => {
    const { root, storeId, sessions } = await openSessions();
    writeFileSync(path.join(root, 'sessions'), 'no folder');
    await expect(sessions.rename(storeId)).rejects.toMatchObject({ code: 'store_unusable' });
    expect(nameOf(root)).toBe(storeId);
  });
});
