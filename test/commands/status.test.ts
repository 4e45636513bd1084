import { describe, expect, it, vi } from 'vitest';
import { LayerpullError } from '../../src/core/errors.ts';
import type { ListQuery, ResourceView } from '../../src/lock/locks.ts';
import { digestOfDigit } from '../support/pull-events.ts';
import { runCommand } from '../support/run-command.ts';

const fake = vi.hoisted(() => ({
  list: undefined as ((query: ListQuery) => Promise<ResourceView[]>) | undefined,
  closed: 0,
}));

vi.mock('../../src/compose/status.ts', () => ({
  composeStatus: async () => ({
    locks: fake.list && { list: fake.list },
    close: async () => {
      fake.closed += 1;
    },
  }),
}));

const { default: Status } = await import('../../src/commands/status.ts');

const view = (digit: string): ResourceView => ({
  resourceId: digestOfDigit(digit),
  domain: 'default',
  queue: [],
  copies: [],
});

const views = [view('1'), view('2')];
const listing = async ({ prefix = '' }: ListQuery) =>
  views.filter(({ resourceId }) =>
    resourceId.slice('sha256:'.length).startsWith(prefix.replace('sha256:', '')),
  );

describe('layerpull status', () => {
  it('lists all active resources', async () => {
    fake.list = listing;
    const { exitCode, stdout } = await runCommand(Status);
    expect([exitCode, stdout.trimEnd().split('\n').length]).toEqual([0, 3]);
    expect(fake.closed).toBe(1);
  });

  it.each(['1', 'sha256:11', digestOfDigit('1')])('shows the resource that %s names', async (prefix) => {
    fake.list = listing;
    const { stdout } = await runCommand(Status, prefix, '--store', '/store');
    expect(stdout).toContain(`${digestOfDigit('1')}\n  state       idle\n`);
  });

  it('has one document with --json', async () => {
    fake.list = listing;
    const { stdout } = await runCommand(Status, '2', '--json');
    expect(JSON.parse(stdout)).toMatchObject({
      coordinated: true,
      resources: [{ digest: digestOfDigit('2') }],
    });
  });

  it('says that nobody coordinates the store, which is no error', async () => {
    fake.list = undefined;
    const { exitCode, stdout } = await runCommand(Status, 'ab', '--store', '/store');
    expect([exitCode, stdout]).toEqual([
      0,
      'nobody coordinates the store /store: no pull is running on it\n',
    ]);
    expect(JSON.parse((await runCommand(Status, '--json')).stdout)).toEqual({
      coordinated: false,
      resources: [],
    });
  });

  it.each([
    ['sha256:', 2, 'sha256: matches 2 layers'],
    ['f', 3, 'nobody holds, waits for or has finished f'],
    ['XYZ', 2, '"XYZ" is not the beginning of a digest'],
  ])('refuses %s with exit code %i', async (prefix, exitCode, message) => {
    fake.list = listing;
    const run = await runCommand(Status, prefix);
    expect(run).toMatchObject({ exitCode, stdout: '', stderr: expect.stringContaining(message) });
  });

  it('ends with 7 when the server cannot be reached', async () => {
    fake.closed = 0;
    fake.list = async () => {
      throw new LayerpullError('lock_unreachable', 'cannot reach the lock server');
    };
    expect((await runCommand(Status, '--server', 'lock:1')).exitCode).toBe(7);
    expect(fake.closed).toBe(1);
  });
});
