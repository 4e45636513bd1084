import { createHash } from 'node:crypto';
import { build } from 'esbuild';
import { expect, it } from 'vitest';
import { rules } from '../../../../../src/lock/backends/etcd/replica/rules.ts';
import { inRoot, root } from '../../../../support/root.ts';

/**
 * What the code was when the number was given. Where the sum changes: raise `rules` if a server of before could come to
 * something else from some entry or snapshot, or could not read it; then give the new sum. Names and comments are not in
 * it.
 */
const known = { rules: 1, sum: '9fe1947e91a365fa' };

/** All that follows from entries: how they and snapshots are read, and what the machine comes to. */
const parts = ['apply', 'check', 'entry', 'snapshot'];

it('what lock servers come to from the same entries is what the number of their rules stands for', async () => {
  const folder = inRoot('src', 'lock', 'backends', 'etcd', 'replica');
  const { outputFiles } = await build({
    stdin: { contents: parts.map((part) => `export * from './${part}.ts';`).join('\n'), resolveDir: folder },
    absWorkingDir: root,
    bundle: true,
    format: 'esm',
    minify: true,
    packages: 'external',
    platform: 'node',
    write: false,
  });
  const [code] = outputFiles;
  const sum = createHash('sha256')
    .update(code?.contents ?? '')
    .digest('hex')
    .slice(0, 16);
  expect({ rules, sum }).toEqual(known);
});
