import { describe, expect, it, vi } from 'vitest';
import type { ServeConfig } from '../../src/config/serve.ts';
import { LayerpullError } from '../../src/core/errors.ts';
import type { Log } from '../../src/core/log.ts';
import { runCommand } from '../support/run-command.ts';

const fake = vi.hoisted(() => ({
  closed: 0,
  signal: 'SIGTERM' as 'SIGTERM' | 'SIGINT',
  error: undefined as Error | undefined,
  failure: undefined as Error | undefined,
}));

vi.mock('../../src/compose/serve.ts', () => ({
  composeServe: async ({ host, port }: ServeConfig, { log }: { log: Log }) => {
    if (fake.error) throw fake.error;
    log.info({ port }, 'listening');
    if (!fake.failure) setImmediate(() => process.emit(fake.signal, fake.signal));
    return {
      url: `http://${host}:${port}`,
      failed: fake.failure ? Promise.reject(fake.failure) : new Promise(() => {}),
      close: async () => {
        fake.closed += 1;
      },
    };
  },
}));

const { default: Serve } = await import('../../src/commands/serve.ts');

describe('layerpull serve', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('prints its URL, runs until %s and ends with 0', async (signal) => {
    fake.signal = signal;
    fake.closed = 0;
    const { exitCode, stdout } = await runCommand(Serve, '--addr', '127.0.0.1:9');
    expect([exitCode, stdout, fake.closed]).toEqual([0, 'http://127.0.0.1:9\n', 1]);
  });

  it('prints its URL as a document with --json', async () => {
    const { stdout } = await runCommand(Serve, '--json');
    expect(JSON.parse(stdout)).toEqual({ url: 'http://127.0.0.1:8080' });
  });

  it('logs on stderr', async () => {
    const { stderr } = await runCommand(Serve, '--log-format', 'json');
    expect(JSON.parse(stderr)).toMatchObject({ level: 'info', msg: 'listening', port: 8080 });
    expect((await runCommand(Serve, '--log-level', 'warn')).stderr).toBe('');
  });

  it('says in one line why it cannot start', async () => {
    fake.error = new LayerpullError('address_in_use', '127.0.0.1:8080 is in use', {
      hint: 'choose another --addr',
    });
    const run = await runCommand(Serve);
    fake.error = undefined;
    const stderr = 'layerpull: 127.0.0.1:8080 is in use (choose another --addr)\n';
    expect(run).toEqual({ exitCode: 2, stdout: '', stderr });
  });

  it('ends with the error that keeps it from going on, after closing everything', async () => {
    fake.failure = new LayerpullError('data_failed', 'cannot write to the data directory /data: no space');
    fake.closed = 0;
    const run = await runCommand(Serve, '--log-level', 'error');
    fake.failure = undefined;
    expect([run.exitCode, run.stderr, fake.closed]).toEqual([
      8,
      'layerpull: cannot write to the data directory /data: no space\n',
      1,
    ]);
  });
});
