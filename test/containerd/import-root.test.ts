import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, utimesSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkExistingRoot, importMarkerPath } from '../../src/containerd/existing-root.ts';
import { type ImportProgress, importRoot } from '../../src/containerd/import-root.ts';
import { ownBlobPath } from '../../src/containerd/own-content.ts';
import { type Digest, digestOf } from '../../src/core/digest.ts';
import { createSmallDisk } from '../support/small-disk.ts';
import { tempDir } from '../support/temp.ts';
import { addOwn, importTarget, rootWith, type TestTarget } from './own-root.ts';

const never = new AbortController().signal;
const nothing = async () => false;
const textOf = (target: TestTarget, digest: Digest | undefined) =>
  digest && readFileSync(target.fileOf(digest), 'utf8');
const drafts = ({ folder }: TestTarget) => readdirSync(folder).filter((name) => name.startsWith('import-'));

describe('an import', () => {
  it('brings every blob, notes that containerd needs it, and tells how far it is', async () => {
    const { root, digests } = rootWith('one', 'three', '');
    const target = importTarget();
    const told: ImportProgress[] = [];
    const imported = await importRoot(root, target, never, (progress) => told.push(progress));
    expect(imported).toEqual({ blobs: 3, present: 0, bytes: 8, damaged: [] });
    expect(digests.map((digest) => textOf(target, digest))).toEqual(['one', 'three', '']);
    expect([...target.kept.keys()].toSorted()).toEqual([...digests].toSorted());
    expect(target.kept.get(digests[1] ?? digestOf(Buffer.from('')))).toMatchObject({ size: 5, labels: {} });
    expect(told.map(({ blobs }) => blobs)).toEqual([1, 2, 3]);
    expect(drafts(target)).toEqual([]);
  });

  it('takes no room where both lie on one file system', async () => {
    const {
      root,
      digests: [digest],
    } = rootWith('one');
    const target = importTarget();
    await importRoot(root, target, never);
    expect(digest && statSync(target.fileOf(digest)).ino).toBe(
      digest && statSync(ownBlobPath(root, digest)).ino,
    );
  });

  it('copies to another file system', async () => {
    const {
      root,
      digests: [digest],
    } = rootWith('x'.repeat(3_000_000));
    const target = importTarget((await createSmallDisk(8_000_000)).seen);
    expect(await importRoot(root, target, never)).toMatchObject({ blobs: 1, bytes: 3_000_000 });
    expect(textOf(target, digest)).toHaveLength(3_000_000);
  });

  it('refuses before it begins where copies would have no room', async () => {
    const { root } = rootWith('x', 'y'.repeat(3_000_000));
    const disk = await createSmallDisk(2_000_000);
    if (statSync(disk.seen).dev === statSync(root).dev) return expect(disk.options().env).toBeDefined();
    const target = importTarget(disk.seen);
    await expect(importRoot(root, target, never)).rejects.toMatchObject({ code: 'store_full', exitCode: 8 });
    expect([target.kept.size, readdirSync(target.folder)]).toEqual([0, []]);
  });

  it('leaves a root that needs no second one, until containerd commits to it again', async () => {
    const { root } = rootWith('one');
    await importRoot(root, importTarget(), never);
    expect(await checkExistingRoot(root)).toBeUndefined();
    const later = addOwn(root, 'later');
    utimesSync(ownBlobPath(root, later), new Date(), new Date(Date.now() + 5_000));
    expect(await checkExistingRoot(root)).toMatchObject({ code: 'content_not_imported' });
  });

  it('counts for the store that it went to, and for no other', async () => {
    const { root } = rootWith('one');
    const [first, second] = [importTarget(), importTarget()];
    await importRoot(root, first, never);
    expect(await checkExistingRoot(root, nothing, first.storeId)).toBeUndefined();
    expect(await checkExistingRoot(root, nothing, second.storeId)).toMatchObject({
      code: 'content_not_imported',
    });
    expect(await importRoot(root, second, never)).toMatchObject({ blobs: 1, present: 0 });
    expect(await checkExistingRoot(root, nothing, second.storeId)).toBeUndefined();
  });

  it('brings nothing twice, and keeps what containerd said of a blob', async () => {
    const {
      root,
      digests: [digest = digestOf(Buffer.from(''))],
    } = rootWith('one');
    const target = importTarget();
    await importRoot(root, target, never);
    const labelled = { digest, size: 3, createdAtMs: 1, updatedAtMs: 2, labels: { team: 'a' } };
    await target.put(labelled);
    expect(await importRoot(root, target, never)).toEqual({ blobs: 1, present: 1, bytes: 3, damaged: [] });
    expect(target.kept.get(digest)).toEqual(labelled);
  });

  it('leaves out what has other bytes than its name says', async () => {
    const {
      root,
      digests: [good],
    } = rootWith('good');
    const bad = addOwn(root, 'bad', digestOf(Buffer.from('other')));
    const target = importTarget();
    expect(await importRoot(root, target, never)).toEqual({ blobs: 1, present: 0, bytes: 4, damaged: [bad] });
    expect([...target.kept.keys()]).toEqual([good]);
    expect(readdirSync(target.folder)).toHaveLength(1);
  });

  it('follows no link and waits for no pipe', async () => {
    const { root } = rootWith();
    const secret = path.join(tempDir(), 'secret');
    const folder = path.dirname(ownBlobPath(root, digestOf(Buffer.from(''))));
    mkdirSync(folder, { recursive: true });
    symlinkSync(secret, path.join(folder, 'a'.repeat(64)));
    execFileSync('mkfifo', [path.join(folder, 'b'.repeat(64))]);
    expect(await importRoot(root, importTarget(), never)).toEqual({
      blobs: 0,
      present: 0,
      bytes: 0,
      damaged: [],
    });
  });

  it('leaves out what containerd removes meanwhile', async () => {
    const {
      root,
      digests: [digest = digestOf(Buffer.from(''))],
    } = rootWith('one');
    const target = importTarget();
    const put: TestTarget['put'] = async (entry) => {
      rmSync(ownBlobPath(root, digest));
      await target.put(entry);
    };
    expect(await importRoot(root, { ...target, put }, never)).toMatchObject({ blobs: 0, damaged: [] });
    expect(target.kept.size).toBe(0);
  });

  it('ends with the reason of its signal, and goes on another time', async () => {
    const { root } = rootWith('one', 'two', 'three');
    const target = importTarget();
    const stop = new AbortController();
    const reason = new Error('enough');
    const importing = importRoot(root, target, stop.signal, () => stop.abort(reason));
    await expect(importing).rejects.toBe(reason);
    expect([target.kept.size, drafts(target)]).toEqual([1, []]);
    expect(() => statSync(importMarkerPath(root))).toThrow('ENOENT');
    expect(await importRoot(root, target, never)).toMatchObject({ blobs: 3, present: 1 });
  });

  it('passes on what the store throws, and leaves no draft', async () => {
    const {
      root,
      digests: [digest],
    } = rootWith('one');
    const target = importTarget();
    const adopt = async () => {
      throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
    };
    const importing = importRoot(root, { ...target, adopt }, never);
    await expect(importing).rejects.toMatchObject({
      code: 'store_full',
      message: expect.stringContaining(digest ?? '-'),
    });
    expect([target.kept.size, drafts(target)]).toEqual([0, []]);
  });
});
