import { mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { spawnProcess } from '../support/processes.ts';
import { inRoot } from '../support/root.ts';
import { tempDir } from '../support/temp.ts';

describe('the example of the layer hook as a library', () => {
  it('downloads each of four layers on exactly one of two nodes', async () => {
    const folder = tempDir();
    const outfile = path.join(folder, 'example.mjs');
    mkdirSync(path.join(folder, 'node_modules'));
    symlinkSync(inRoot(), path.join(folder, 'node_modules', 'layerpull'));
    const entryPoints = [inRoot('examples', 'concurrent-layers.ts')];
    await build({ entryPoints, outfile, format: 'esm', target: 'node20', logLevel: 'error' });
    const run = await spawnProcess(process.execPath, [outfile], { env: process.env });
    const { code } = await run.exited;
    expect(code, run.stderr.text()).toBe(0);
    const lines = run.stdout.lines().filter((line) => line !== '');
    expect(lines).toHaveLength(4);
    for (const line of lines) {
      expect(line).toMatch(
        /node-a downloaded {2}node-b (skipped|present)|node-a (skipped|present) {2}node-b downloaded/,
      );
    }
  });
});
