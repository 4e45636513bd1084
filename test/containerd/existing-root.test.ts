import { mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkExistingRoot, importMarkerPath, missingContent } from '../../src/containerd/existing-root.ts';
import { ownBlobPath, ownContentPath } from '../../src/containerd/own-content.ts';
import { digestOf } from '../../src/core/digest.ts';
import { tempDir } from '../support/temp.ts';
import { addOwn, rootWith } from './own-root.ts';

const nothing = async () => false;

describe('a root of containerd', () => {
  it('is fit for the plugin where it is not there, or empty', async () => {
    const folder = tempDir();
    expect(await checkExistingRoot(path.join(folder, 'nothing'))).toBeUndefined();
    mkdirSync(path.join(ownContentPath(folder), 'blobs', 'sha256'), { recursive: true });
    expect(await checkExistingRoot(folder)).toBeUndefined();
  });

  it('is not where it has blobs that the store lacks, and says how many and what to do', async () => {
    const { root } = rootWith('one', 'three');
    const error = await checkExistingRoot(root, nothing);
    expect(error).toMatchObject({ code: 'content_not_imported', exitCode: 8 });
    expect(error?.message).toContain(`${root} has 2 blobs (8 bytes) of its own`);
    expect(error?.hint).toContain(`--containerd-root ${root} --import`);
  });

  it('is fit where the store has the same blobs whole', async () => {
    const { root, digests } = rootWith('one', 'three');
    const has = async ({ digest, size }: { digest: string; size: number }) =>
      (digest === digests[0] && size === 3) || (digest === digests[1] && size === 5);
    expect(await checkExistingRoot(root, has)).toBeUndefined();
    expect(await missingContent(root, has)).toEqual({ missing: { blobs: 0, bytes: 0 }, blobs: 2 });
  });

  it('counts regular files under the name of a digest, and nothing else', async () => {
    const { root, digests } = rootWith('one');
    const file = ownBlobPath(root, digests[0] ?? digestOf(Buffer.from('')));
    const folder = path.dirname(file);
    writeFileSync(path.join(folder, 'no-digest'), 'x');
    mkdirSync(path.join(folder, 'a'.repeat(64)));
    symlinkSync(file, path.join(folder, 'b'.repeat(64)));
    const error = await checkExistingRoot(root);
    expect(error?.message).toContain('has 1 blob (3 bytes)');
  });

  it('counts only what came after an import', async () => {
    const { root } = rootWith('one', 'two');
    const marker = importMarkerPath(root);
    writeFileSync(marker, '');
    expect(await checkExistingRoot(root)).toBeUndefined();
    const later = addOwn(root, 'later');
    utimesSync(ownBlobPath(root, later), new Date(), new Date(Date.now() + 60_000));
    expect((await checkExistingRoot(root))?.message).toContain('has 1 blob (5 bytes)');
    rmSync(marker);
    expect((await checkExistingRoot(root))?.message).toContain('has 3 blobs');
  });

  it('is no folder: nothing is in it', async () => {
    const file = path.join(tempDir(), 'file');
    writeFileSync(file, '');
    expect(await checkExistingRoot(file)).toBeUndefined();
  });
});
