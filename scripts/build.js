#!/usr/bin/env node
// Builds the program and the library into dist/, and the library's types into dist/types/.
// Usage: node scripts/build.js [--outdir DIR] [--no-types]
import { spawn } from 'node:child_process';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values } = parseArgs({ options: { outdir: { type: 'string' }, 'no-types': { type: 'boolean' } } });
const outdir = resolve(root, values.outdir ?? 'dist');
// Built beside and moved into place, so that a program running from dist/ never sees half a build.
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

try {
  await Promise.all([bundle(), values['no-types'] ? undefined : emitTypes()]);
  await replace(outdir, workdir);
} finally {
  await rm(workdir, { recursive: true, force: true });
}

async function bundle() {
  await build({
    absWorkingDir: root,
    entryPoints: await entryPoints(),
    outdir: workdir,
    outbase: 'src',
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    chunkNames: 'chunks/[name]-[hash]',
    // A native addon cannot be bundled; the others are only asked for in development.
    plugins: [smallUndici, neverUsed],
    external: ['fs-native-extensions', 'lmdb', 'typescript', 'ts-node', 'tsx'],
    // CommonJS dependencies call require for Node's own modules.
    banner: {
      js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);",
    },
    logLevel: 'warning',
  });
}

/** The program, the library, the thread that writes, and one file per command, so that only the command that runs is loaded. */
async function entryPoints() {
  const files = await readdir(join(root, 'src', 'commands'));
  const commands = files.filter((file) => file.endsWith('.ts')).map((file) => `src/commands/${file}`);
  return ['src/cli.ts', 'src/index.ts', 'src/store/sink-worker.ts', ...commands.sort()];
}

function emitTypes() {
  const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  return run(process.execPath, [compiler, '-p', 'tsconfig.build.json', '--outDir', join(workdir, 'types')]);
}

function run(command, args) {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit' });
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

function ignoreMissing(error) {
  if (error.code !== 'ENOENT') throw error;
}
