// npm run bench -- NAME [options]: bundles bench/NAME.ts into .cache (Node 20 reads no TypeScript) and runs it.
// Without a name it lists the benches.
import fs from 'node:fs';
import path from 'node:path';
import { ensureComponents } from './lib/components.js';
import { inRoot } from './lib/paths.js';
import { nodeProblem, prepare } from './lib/prepare.js';
import { runAttached } from './lib/run.js';

process.exitCode = await main(process.argv.slice(2));

/** @param {string[]} args */
async function main([name, ...options]) {
  const problem = nodeProblem();
  if (problem) process.stderr.write(`${problem}\n`);
  const ready = problem ? 1 : await prepare();
  if (ready !== 0) return ready;
  const names = benches();
  if (name === undefined) return list(names, process.stdout, 0);
  if (!names.includes(name)) return list(names, process.stderr, 2);
  await ensureComponents();
  return runAttached(process.execPath, ['--enable-source-maps', await bundle(name), ...options], {
    cwd: inRoot(),
  });
}

function benches() {
  const files = fs.readdirSync(inRoot('bench')).sort();
  return files.filter((file) => file.endsWith('.ts')).map((file) => file.slice(0, -'.ts'.length));
}

/**
 * @param {string[]} names
 * @param {NodeJS.WritableStream} stream
 * @param {number} exitCode
 */
function list(names, stream, exitCode) {
  stream.write(`npm run bench -- NAME [options], NAME is one of: ${names.join(', ')}\n`);
  return exitCode;
}

/**
 * The bench, and the programs in its folder that it starts, each as one file.
 *
 * @param {string} name
 */
async function bundle(name) {
  const { build } = await import('esbuild');
  const outdir = inRoot('.cache', 'bench', `${name}-${process.pid}`);
  process.on('exit', () => fs.rmSync(outdir, { recursive: true, force: true }));
  await build({
    entryPoints: [inRoot('bench', `${name}.ts`), ...programsOf(name)],
    outdir,
    outbase: inRoot('bench'),
    outExtension: { '.js': '.mjs' },
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    sourcemap: 'inline',
    logLevel: 'warning',
  });
  return path.join(outdir, `${name}.mjs`);
}

/** @param {string} name */
function programsOf(name) {
  const folder = inRoot('bench', name);
  if (!fs.existsSync(folder)) return [];
  return fs.readdirSync(folder).map((file) => path.join(folder, file));
}
