import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import module from 'node:module';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { cliEnv } from '../support/cli.ts';
import { inRoot } from '../support/root.ts';
import { tempDir } from '../support/temp.ts';

/** A copy of the built program, whose compiled code may be spoiled. */
function copyProgram(): { readonly root: string; readonly cache: string } {
  const root = tempDir();
  for (const part of ['bin', 'dist/program', 'dist/commands', 'package.json', 'oclif.manifest.json'])
    cpSync(inRoot(...part.split('/')), path.join(root, part), { recursive: true });
  symlinkSync(inRoot('node_modules'), path.join(root, 'node_modules'));
  return { root, cache: path.join(root, 'dist/program/layerpull.cjs.cache') };
}

function versionOf(root: string): string {
  const args = [path.join(root, 'bin/run.js'), '--version'];
  return execFileSync(process.execPath, args, { env: cliEnv(), encoding: 'utf8' });
}

/** What V8 says to the compiled code beside the program. */
function isRejected(root: string): boolean {
  const script = `
    import v8 from 'node:v8';
    import { loadCompiled } from './bin/load.js';
    v8.setFlagsFromString('--liftoff-only');
    process.stdout.write(String(loadCompiled(process.cwd() + '/dist/program/layerpull.cjs').script.cachedDataRejected));
  `;
  const args = ['--input-type=module', '-e', script];
  return execFileSync(process.execPath, args, { cwd: root, env: cliEnv(), encoding: 'utf8' }) !== 'false';
}

// Newer versions keep compiled code by themselves.
describe.runIf(!('enableCompileCache' in module))('the compiled code beside the program', () => {
  it('is there after a build, and this Node takes it', () => {
    const { root, cache } = copyProgram();
    expect(existsSync(cache)).toBe(true);
    expect(isRejected(root)).toBe(false);
  });

  it('is not needed', () => {
    const { root, cache } = copyProgram();
    truncateSync(cache);
    expect(versionOf(root)).toMatch(/^layerpull\//);
  });

  it.each([
    ['cut short', (bytes: Buffer) => bytes.subarray(0, bytes.length / 2)],
    ['of another version of Node', (bytes: Buffer) => flip(bytes, 4)],
    ['something else', () => Buffer.from('nonsense')],
  ])('is refused when it is %s, and the program runs without', (_, spoil) => {
    const { root, cache } = copyProgram();
    writeFileSync(cache, spoil(readFileSync(cache)));
    expect(isRejected(root)).toBe(true);
    expect(versionOf(root)).toMatch(/^layerpull\//);
  });

  it('is refused when the program is another one', () => {
    const { root } = copyProgram();
    const file = path.join(root, 'dist/program/layerpull.cjs');
    writeFileSync(file, `${readFileSync(file, 'utf8')}\n;`);
    expect(isRejected(root)).toBe(true);
  });
});

function flip(bytes: Buffer, at: number): Buffer {
  const flipped = Buffer.from(bytes);
  flipped[at] = (flipped[at] ?? 0) ^ 0xff;
  return flipped;
}
