import fs from 'node:fs';
import { build } from 'esbuild';
import { inRoot } from './root.ts';

const bundled = new Map<string, Promise<string>>();

/** Path of test/support/programs/NAME.ts made into a file that Node runs; gone when the tests end. */
export function testProgram(name: string): Promise<string> {
  const known = bundled.get(name) ?? bundle(name);
  bundled.set(name, known);
  return known;
}

async function bundle(name: string): Promise<string> {
  const outfile = inRoot('.cache', 'test-programs', `${name}-${process.pid}.mjs`);
  process.once('exit', () => fs.rmSync(outfile, { force: true }));
  await build({
    entryPoints: [inRoot('test', 'support', 'programs', `${name}.ts`)],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    sourcemap: 'inline',
    logLevel: 'warning',
  });
  return outfile;
}
