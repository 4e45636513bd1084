import { describe, expect, test } from 'vitest';
import { spawnProcess } from '../support/processes.ts';

const env = process.env;

describe('a child process', () => {
  test('tells what it wrote and how it ended', async () => {
    const child = await spawnProcess('sh', ['-c', 'read word; echo "got $word"; echo oops >&2; exit 3'], {
      env,
    });
    child.stdin.end('it\n');
    expect(await child.exited).toEqual({ code: 3, signal: null });
    expect(child.stdout.lines()).toEqual(['got it']);
    expect(child.stderr.text()).toBe('oops\n');
  });

  test('that cannot be started is an error', async () => {
    await expect(spawnProcess('/no/such/program', [], { env })).rejects.toThrow('ENOENT');
  });

  test('is killed when the signal aborts', async () => {
    const controller = new AbortController();
    const child = await spawnProcess('sleep', ['600'], { env, signal: controller.signal });
    controller.abort();
    expect(await child.exited).toEqual({ code: null, signal: 'SIGKILL' });
  });

  test('ends on stop', async () => {
    const child = await spawnProcess('sleep', ['600'], { env });
    expect(await child.stop()).toEqual({ code: null, signal: 'SIGTERM' });
  });
});
