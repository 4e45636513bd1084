import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
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
