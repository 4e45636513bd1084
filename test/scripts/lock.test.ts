import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { spawnProcess } from '../support/processes.ts';
import { inRoot } from '../support/root.ts';
import { tempDir } from '../support/temp.ts';

const lockModule = pathToFileURL(inRoot('scripts', 'lib', 'lock.js')).href;

/** A process that takes the lock, notes "in", runs `inside`, and notes "out". */
function spawnTaker(dir: string, inside: string) {
  const program = `
    import fs from 'node:fs';
    import { withLock } from ${JSON.stringify(lockModule)};
    const note = (text) => fs.appendFileSync(${JSON.stringify(path.join(dir, 'notes'))}, text + '\\n');
    await withLock(${JSON.stringify(path.join(dir, 'lock'))}, async () => { note('in'); ${inside}; note('out'); });`;
  return spawnProcess(process.execPath, ['--input-type=module', '-e', program], { env: process.env });
}

describe('the lock of the scripts', () => {
  test('lets one process in at a time and leaves nothing behind', async () => {
    const dir = tempDir();
    const takers = await Promise.all(['', '', '', ''].map((inside) => spawnTaker(dir, inside)));
    const exits = await Promise.all(takers.map((taker) => taker.exited));
    expect(exits.map((exit) => exit.code)).toEqual([0, 0, 0, 0]);
    expect(fs.readFileSync(path.join(dir, 'notes'), 'utf8')).toBe('in\nout\n'.repeat(4));
    expect(fs.readdirSync(dir)).toEqual(['notes']);
  });

  test('passes on when its owner is killed', async () => {
    const dir = tempDir();
    const first = await spawnTaker(dir, `process.kill(process.pid, 'SIGKILL')`);
    await first.exited;
    expect(fs.existsSync(path.join(dir, 'lock'))).toBe(true);
    const second = await spawnTaker(dir, '');
    expect((await second.exited).code).toBe(0);
    expect(fs.readFileSync(path.join(dir, 'notes'), 'utf8')).toBe('in\nin\nout\n');
  });
});
