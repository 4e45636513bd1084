import path from 'node:path';
import { type Child, spawnProcess } from './processes.ts';
import { inRoot } from './root.ts';

const bundles = new Map<string, Promise<string>>();

/** Starts a program of `test/support/programs`, bundled first, since Node 20 reads no TypeScript. */
export async function spawnProgram(name: string, ...args: string[]): Promise<Child> {
  const known = bundles.get(name) ?? bundle(name);
  bundles.set(name, known);
  return await spawnProcess(process.execPath, [await known, ...args], { env: { PATH: process.env['PATH'] } });
}

async function bundle(name: string): Promise<string> {
  const { build } = await import('esbuild');
  const outfile = inRoot('.cache', 'test-programs', `${path.basename(name)}-${process.pid}.mjs`);
  await build({
    entryPoints: [inRoot('test', 'support', 'programs', `${name}.ts`)],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    logLevel: 'warning',
  });
  return outfile;
}
