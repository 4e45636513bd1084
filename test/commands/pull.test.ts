import { afterEach, describe, expect, it, vi } from 'vitest';
import type { PullConfig } from '../../src/config/pull.ts';
import { LayerpullError } from '../../src/core/errors.ts';
import type { PullEvent, PullResult } from '../../src/orchestrator/events.ts';
import { pullEvents, pullResult } from '../support/pull-events.ts';
import { runCommand } from '../support/run-command.ts';

type Run = (image: string, signal: AbortSignal, onEvent: (event: PullEvent) => void) => Promise<PullResult>;

const fake = vi.hoisted(() => ({ run: undefined as Run | undefined, configs: [] as unknown[], closed: 0 }));

vi.mock('../../src/compose/pull.ts', () => ({
  composePull: async (config: PullConfig, { onEvent }: { onEvent(event: PullEvent): void }) => {
    fake.configs.push(config);
    return {
      run: (image: string, signal: AbortSignal) => fake.run?.(image, signal, onEvent),
      linger: async () => {},
      close: async () => {
        fake.closed += 1;
      },
    };
  },
}));

const { default: Pull } = await import('../../src/commands/pull.ts');

const succeed: Run = async () => pullResult;
const fail: Run = async () => {
  throw new LayerpullError('image_not_found', 'no such tag', { hint: 'look at the tags' });
};

afterEach(() => {
  fake.configs.length = 0;
  fake.closed = 0;
});

describe('layerpull pull', () => {
  it('prints NAME@DIGEST', async () => {
    fake.run = succeed;
    const { exitCode, stdout } = await runCommand(Pull, 'busybox');
    expect([exitCode, stdout]).toEqual([0, `${pullResult.reference}@${pullResult.digest}\n`]);
    expect(fake.closed).toBe(1);
  });

  it('does not repeat a digest that the reference has', async () => {
    const reference = `docker.io/library/busybox@${pullResult.digest}`;
    fake.run = async () => ({ ...pullResult, reference });
    expect((await runCommand(Pull, 'busybox')).stdout).toBe(`${reference}\n`);
  });

  it('prints the result as one document with --json', async () => {
    fake.run = succeed;
    const { stdout } = await runCommand(Pull, 'busybox', '--json');
    expect(JSON.parse(stdout)).toEqual(pullResult);
  });

  it('hands flags on as configuration', async () => {
    fake.run = succeed;
    const flags = [
      '--node',
      'n1',
      '--server',
      'lock:1',
      '--store',
      '/s',
      '--platform',
      'linux/arm64',
      '--plain-http',
      '--first-contact',
      '1s',
      '--min-rate',
      '0',
      '--linger',
      '3s',
      ...['--peer-stall-timeout', '2s', '--max-transfers', '9'],
    ];
    await runCommand(Pull, 'busybox', ...flags, '--concurrency', '2', '--on-lock-failure', 'fail');
    expect(fake.configs).toEqual([
      {
        version: expect.any(String),
        servers: [new URL('http://lock:1')],
        store: '/s',
        node: 'n1',
        platform: { os: 'linux', architecture: 'arm64' },
        concurrency: 2,
        plan: { allPlatforms: false, dryRun: false },
        registry: expect.objectContaining({ plainHttp: true }),
        onLockFailure: 'fail',
        bounds: expect.objectContaining({ firstContactMs: 1_000, minRateBytesPerSecond: 0 }),
        peers: expect.objectContaining({ silenceMs: 2_000, maxTransfers: 9 }),
        share: { address: { host: undefined, port: 0 }, lingerMs: 3_000 },
      },
    ]);
  });

  it('shows progress on stderr only', async () => {
    fake.run = async (_image, _signal, onEvent) => {
      onEvent(pullEvents.resolved);
      return pullResult;
    };
    const { stdout, stderr } = await runCommand(Pull, 'busybox', '--progress', 'plain');
    expect(stdout.split('\n')).toHaveLength(2);
    expect(stderr).toContain('resolved to sha256:aaaaaaaaaaaa');
  });

  it('is silent but for the result with -q', async () => {
    fake.run = async (_image, _signal, onEvent) => {
      onEvent(pullEvents.resolved);
      onEvent(pullEvents.warning);
      return pullResult;
    };
    expect((await runCommand(Pull, 'busybox', '-q')).stderr).toBe('');
  });

  it('closes everything and reports one line when the pull fails', async () => {
    fake.run = fail;
    const run = await runCommand(Pull, 'busybox');
    expect(run).toEqual({ exitCode: 3, stdout: '', stderr: 'layerpull: no such tag (look at the tags)\n' });
    expect(fake.closed).toBe(1);
  });

  it('has the same exit code and one document with --json', async () => {
    fake.run = fail;
    const { exitCode, stdout } = await runCommand(Pull, 'busybox', '--json');
    expect(exitCode).toBe(3);
    expect(JSON.parse(stdout).error).toMatchObject({ code: 'image_not_found', exitCode: 3 });
  });

  it('ends JSON progress with the error', async () => {
    fake.run = fail;
    const { stderr } = await runCommand(Pull, 'busybox', '--progress', 'json');
    expect(JSON.parse(stderr)).toMatchObject({ kind: 'error', code: 'image_not_found' });
  });

  it('adds the stack with --log-level debug', async () => {
    fake.run = fail;
    expect((await runCommand(Pull, 'busybox', '--log-level', 'debug')).stderr).toContain('pull.test.ts');
  });

  it('is interrupted by a signal, whatever breaks because of it', async () => {
    fake.run = async (_image, signal) => {
      process.emit('SIGINT', 'SIGINT');
      expect(signal.aborted).toBe(true);
      throw new Error('socket closed');
    };
    const run = await runCommand(Pull, 'busybox');
    expect(run).toEqual({ exitCode: 130, stdout: '', stderr: 'layerpull: interrupted\n' });
    expect(process.listenerCount('SIGINT')).toBe(0);
  });

  it.each([
    [[], 'layerpull: missing IMAGE (see layerpull pull --help)\n'],
    [
      ['a', '--serve', 'b'],
      'layerpull: unknown flag "--serve" (did you mean --server? See layerpull pull --help)\n',
    ],
    [['a', '--concurrency', '0'], expect.stringContaining('give a whole number from 1 to 64')],
    [['a', '--progress', 'loud'], expect.stringContaining('choose one of auto, tty, plain, json, none')],
  ])('refuses %j with exit code 2', async (argv, stderr) => {
    expect(await runCommand(Pull, ...argv)).toEqual({ exitCode: 2, stdout: '', stderr });
  });

  it('refuses wrong flags as a document with --json', async () => {
    const { exitCode, stdout } = await runCommand(Pull, 'a', '--wrong', '--json');
    expect([exitCode, JSON.parse(stdout).error.code]).toEqual([2, 'usage']);
  });
});
