#!/usr/bin/env node
// Builds the program and the library into dist/, and the library's types into dist/types/.
// Usage: node scripts/build.js [--outdir DIR] [--no-types]
import { spawn } from 'node:child_process';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values } = parseArgs({ options: { outdir: { type: 'string' }, 'no-types': { type: 'boolean' } } });
const outdir = resolve(root, values.outdir ?? 'dist');
// Built beside and moved into place, so that a program running from dist/ never sees half a build.
/** Seen from dist/. */
const programFile = 'program/layerpull.cjs';
const workdir = join(root, '.cache', `build-${process.pid}`);

// Loaded by libraries at their start for what this program never does: find commands without a manifest, name a Windows
// shell, speak HTTP/2. Each costs every start a few milliseconds.
const neverUsed = {
  name: 'never-used',
  setup(builder) {
    builder.onLoad(
      {
        filter: /node_modules\/(tinyglobby|wsl-utils)\/.*\.[cm]?js$|undici\/lib\/dispatcher\/client-h2\.js$/,
      },
      () => ({
        contents: '',
      }),
    );
  },
};

const smallUndici = {
  name: 'small-undici',
  setup(builder) {
    const path = join(root, 'scripts', 'undici-client.js');
    builder.onResolve({ filter: /^undici$/ }, () => ({ path }));
  },
};

/** What the program and the library have in common. A native addon cannot be bundled; the others are only asked for in development. */
const common = {
  absWorkingDir: root,
  bundle: true,
  minify: true,
  platform: 'node',
  target: 'node20.19',
  plugins: [smallUndici, neverUsed],
  external: ['fs-native-extensions', 'lmdb', 'typescript', 'ts-node', 'tsx'],
  logLevel: 'warning',
};

try {
  await Promise.all([buildProgram(), buildLibrary(), values['no-types'] ? undefined : emitTypes()]);
  await replace(outdir, workdir);
  await precompile().catch(warn);
} finally {
  await rm(workdir, { recursive: true, force: true });
}

/**
 * One file with all of the program, since compiled code can be kept only for such a one. What is imported late or required is
 * evaluated late there too.
 */
async function buildProgram() {
  const names = await commandNames();
  await build({
    ...common,
    stdin: { contents: programSource(names), resolveDir: root, sourcefile: 'program.js' },
    outfile: join(workdir, programFile),
    format: 'cjs',
    supported: { 'dynamic-import': false },
    define: { 'import.meta.url': '__fileUrl' },
    banner: { js: "const __fileUrl=require('node:url').pathToFileURL(__filename).href;" },
  });
  await mkdir(join(workdir, 'commands'));
  await Promise.all(names.map(writeCommand));
}

/** @param {readonly string[]} names */
function programSource(names) {
  const commands = names.map((name) => `'${name}': () => require('./src/commands/${name}.ts')`);
  return `export { main } from './src/cli.ts';\nexport const commands = { ${commands.join(', ')} };\n`;
}

/** oclif looks for a file per command. */
function writeCommand(name) {
  const code = `module.exports = require('../${programFile}').commands['${name}']();\n`;
  return writeFile(join(workdir, 'commands', `${name}.cjs`), code);
}

async function commandNames() {
  const files = await readdir(join(root, 'src', 'commands'));
  return files
    .filter((file) => file.endsWith('.ts'))
    .map((file) => file.slice(0, -'.ts'.length))
    .sort();
}

/** The library, and the thread that writes. */
async function buildLibrary() {
  await build({
    ...common,
    entryPoints: ['src/index.ts', 'src/store/sink-worker.ts'],
    outdir: workdir,
    outbase: 'src',
    splitting: true,
    format: 'esm',
    chunkNames: 'chunks/[name]-[hash]',
    // CommonJS dependencies call require for Node's own modules.
    banner: {
      js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);",
    },
  });
}

function emitTypes() {
  const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  return run(process.execPath, [compiler, '-p', 'tsconfig.build.json', '--outDir', join(workdir, 'types')]);
}

/** What the pulls print while they warm the program is of no interest. */
function precompile() {
  const script = join(root, 'scripts', 'precompile.js');
  return run(process.execPath, [script, join(outdir, programFile)], 'ignore');
}

function run(command, args, stdout = 'inherit') {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', stdout, 'inherit'] });
    child.once('error', fail);
    child.once('exit', (code) => (code === 0 ? done() : fail(new Error(`${args[0]} ended with ${code}`))));
  });
}

async function replace(target, source) {
  await mkdir(dirname(target), { recursive: true });
  const old = `${source}-old`;
  await rename(target, old).catch(ignoreMissing);
  await rename(source, target);
  await rm(old, { recursive: true, force: true });
}

/** The program runs without. */
function warn(error) {
  process.stderr.write(`layerpull will start more slowly: ${error.message}\n`);
}

function ignoreMissing(error) {
  if (error.code !== 'ENOENT') throw error;
}
