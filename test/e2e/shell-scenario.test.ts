import { execFile, spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { createMemoryLocks } from '../../src/lock/backends/memory.ts';
import type { Locks } from '../../src/lock/locks.ts';
import { createLockServer, type LockServer } from '../../src/lock/server/server.ts';

const examples = path.resolve(import.meta.dirname, '../../examples');
const isMissing = (program: string) => spawnSync(program, ['--version']).error !== undefined;

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(script: string, url: string): Promise<Run> {
  return new Promise((resolve) => {
    const child = execFile('sh', [path.join(examples, script), url], (_, stdout, stderr) => {
      resolve({ code: child.exitCode ?? -1, stdout, stderr });
    });
  });
}

const steps = [
  '1. node-a takes layer 1 and downloads it',
  '2. node-b asks for layer 1: queued at position 1 behind node-a',
  '3. node-b takes layer 2 at once: a wait for one layer blocks no other',
  '4. node-b finishes layer 2',
];

describe.skipIf(isMissing('curl'))('the seven steps of two nodes in a shell (needs curl)', () => {
  let locks: Locks;
  let server: LockServer;
  let url: string;

  beforeAll(async () => {
    locks = createMemoryLocks({ clock: systemClock, recoveryMs: 0 });
    server = createLockServer({ locks, clock: systemClock });
    ({ url } = await server.listen({ host: '127.0.0.1', port: 0 }));
  });

  afterAll(async () => {
    await server.close();
    await locks.close();
  });

  it('go through by polling', async () => {
    const { code, stdout, stderr } = await run('lock-by-polling.sh', url);
    expect(stderr).toBe('');
    expect(stdout.trim().split('\n')).toEqual([
      ...steps,
      '5. node-b polls layer 1, time 1: not done yet',
      '5. node-b polls layer 1, time 2: not done yet',
      '5. node-b polls layer 1, time 3: not done yet',
      '6. node-a finishes layer 1',
      '7. node-b sees it and skips layer 1: already done by node-a',
    ]);
    expect(code).toBe(0);
  });

  it('go through by server-sent events, again and again', async () => {
    for (const { code, stdout, stderr } of [
      await run('lock-by-sse.sh', url),
      await run('lock-by-sse.sh', url),
    ]) {
      expect(stderr).toBe('');
      expect(stdout.trim().split('\n')).toEqual([
        ...steps,
        '5. node-b listens to layer 1: not done yet',
        '6. node-a finishes layer 1',
        '7. node-b hears it and skips layer 1: already done by node-a',
      ]);
      expect(code).toBe(0);
    }
  });

  it.each(['lock-by-polling.sh', 'lock-by-sse.sh'])('say which step went wrong: %s', async (script) => {
    const liar = createServer((_, response) => response.end('{"acquired":false}'));
    await new Promise<void>((resolve) => liar.listen(0, '127.0.0.1', resolve));
    const wrong = await run(script, `http://127.0.0.1:${(liar.address() as AddressInfo).port}`);
    expect(wrong).toMatchObject({
      code: 1,
      stdout: '',
      stderr: 'FAILED: node-a takes layer 1: expected "acquired":true in {"acquired":false}\n',
    });
    await new Promise((resolve) => liar.close(resolve).closeAllConnections());
    const gone = await run(script, 'http://127.0.0.1:1');
    expect(gone.code).toBe(1);
    expect(gone.stderr).toContain('FAILED: no answer from http://127.0.0.1:1/lock');
  });
});
