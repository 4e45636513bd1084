import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { settleRoot } from '../../src/compose/content-root.ts';
import { digestOf } from '../../src/core/digest.ts';
import type { Log } from '../../src/core/log.ts';
import { addOwn, importTarget, rootWith } from '../containerd/own-root.ts';
import { tempDir } from '../support/temp.ts';

function deps() {
  const lines: string[] = [];
  const note = (_: object, message: string) => void lines.push(message);
  const log: Log = { debug: note, info: note, warn: note, error: note };
  return { lines, log, signal: new AbortController().signal };
}

describe('what containerd kept itself', () => {
  it('is nobody’s business where its root is not named', async () => {
    const { lines, ...rest } = deps();
    await settleRoot(undefined, importTarget(), rest);
    expect(lines).toEqual([]);
  });

  it('keeps the plugin from starting where containerd would miss it', async () => {
    const { root } = rootWith('one');
    const target = importTarget();
    const settling = settleRoot({ path: root, isImport: false }, target, deps());
    await expect(settling).rejects.toMatchObject({ code: 'content_not_imported' });
    expect(target.kept.size).toBe(0);
  });

  it('is brought in, once, and from then on the plugin starts with or without', async () => {
    const { root } = rootWith('one', 'two');
    const target = importTarget();
    const { lines, ...rest } = deps();
    await settleRoot({ path: root, isImport: true }, target, rest);
    expect(lines).toEqual(['importing what containerd kept itself', 'imported what containerd kept itself']);
    for (const digest of [...target.kept.keys()]) await target.remove(digest);
    await settleRoot({ path: root, isImport: true }, target, rest);
    await settleRoot({ path: root, isImport: false }, target, rest);
    expect([lines.slice(2), target.kept.size]).toEqual([['nothing is left to import'], 0]);
  });

  it('is brought into another store too, for which the plugin does not start without', async () => {
    const { root } = rootWith('one');
    const [first, second] = [importTarget(), importTarget()];
    await settleRoot({ path: root, isImport: true }, first, deps());
    const settling = settleRoot({ path: root, isImport: false }, second, deps());
    await expect(settling).rejects.toMatchObject({ code: 'content_not_imported' });
    await settleRoot({ path: root, isImport: true }, second, deps());
    expect(second.kept.size).toBe(1);
  });

  it('is not there where no folder is: nothing can be imported', async () => {
    const root = path.join(tempDir(), 'nothing');
    await settleRoot({ path: root, isImport: false }, importTarget(), deps());
    const importing = settleRoot({ path: root, isImport: true }, importTarget(), deps());
    await expect(importing).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining(root) });
  });

  it('is left out where it is damaged, with a warning', async () => {
    const { root } = rootWith();
    addOwn(root, 'bad', digestOf(Buffer.from('other')));
    const { lines, ...rest } = deps();
    await settleRoot({ path: root, isImport: true }, importTarget(), rest);
    expect(lines[1]).toContain('a blob is damaged');
  });
});
