#!/usr/bin/env node
// Keeps beside the program what V8 compiles of it in a pull, so that the next start need not compile it again.
// Usage: node scripts/precompile.js PROGRAM      Nothing is kept where Node keeps compiled code itself.
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import module from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import v8 from 'node:v8';
import { codeCacheOf, loadCompiled } from '../bin/load.js';
import { serveTinyImage } from './lib/tiny-registry.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const file = resolve(process.argv[2] ?? 'dist/program/layerpull.cjs');

if (!module.enableCompileCache) await precompile();

async function precompile() {
  await rm(codeCacheOf(file), { force: true });
  // As in bin/run.js: V8 takes compiled code only under the flags that it was compiled under.
  v8.setFlagsFromString('--liftoff-only');
  const { exports, script } = loadCompiled(file);
  await pullTwice(exports.main);
  const part = `${codeCacheOf(file)}.part`;
  // V8 looks at the head of it only: it must not be half there after a power cut.
  await writeFile(part, script.createCachedData(), { flush: true });
  await rename(part, codeCacheOf(file));
}

/** All of it is fetched, then nothing. */
async function pullTwice(main) {
  const folder = await mkdtemp(join(tmpdir(), 'layerpull-precompile-'));
  const registry = await serveTinyImage();
  try {
    for (let pull = 0; pull < 2; pull += 1) await runQuietly(main, registry.reference, folder);
  } finally {
    registry.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function runQuietly(main, reference, store) {
  const args = ['pull', reference, '--store', store, '--platform', 'linux/amd64', '--progress', 'none'];
  const code = await main([...args, '--config', ''], root);
  if (code !== 0) throw new Error(`the pull that warms the program ended with ${code}`);
}
