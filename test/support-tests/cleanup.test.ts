import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { withOwnCleanups } from '../support/cleanup.ts';
import { type Child, spawnProcess } from '../support/processes.ts';
import { tempDir } from '../support/temp.ts';

describe('what a test leaves behind', () => {
  let shared = '';
  const dirs: string[] = [];
  const children: Child[] = [];

  beforeAll(() => {
    shared = tempDir();
  });

  afterAll(() => {
    expect(existsSync(shared)).toBe(true);
  });

  test('is made inside it', async () => {
    const dir = tempDir();
    writeFileSync(path.join(dir, 'file'), 'text');
    dirs.push(dir);
    children.push(await spawnProcess('sleep', ['600'], { env: process.env }));
    expect(children[0]?.isRunning()).toBe(true);
  });

  test('is gone afterwards, while what the file made stays', async () => {
    expect(dirs.map(existsSync)).toEqual([false]);
    expect(await children[0]?.exited).toEqual({ code: null, signal: 'SIGKILL' });
    expect(existsSync(shared)).toBe(true);
  });
});

describe('what tests that run at the same time leave behind', () => {
  test('goes with the one that made it, and not with the first that ends', async () => {
    let finish = () => {};
    let slow = '';
    const long = withOwnCleanups(async () => {
      slow = tempDir();
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
    });
    const quick = await withOwnCleanups(() => tempDir());
    expect([existsSync(quick), existsSync(slow)]).toEqual([false, true]);
    finish();
    await long;
    expect(existsSync(slow)).toBe(false);
  });

  test('goes too when its test fails', async () => {
    let dir = '';
    const failing = withOwnCleanups(() => {
      dir = tempDir();
      throw new Error('no good');
    });
    await expect(failing).rejects.toThrow('no good');
    expect(existsSync(dir)).toBe(false);
  });
});
