import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test, vi } from 'vitest';
import { cliEnv, runCli, spawnCli } from '../support/cli.ts';
import { spawnInTerminal } from '../support/pty.ts';
import { inRoot } from '../support/root.ts';

const { version } = JSON.parse(readFileSync(inRoot('package.json'), 'utf8'));

test('the environment of the program has nothing that steers it, but what the test gives', () => {
  vi.stubEnv('LAYERPULL_STORE', '/somewhere');
  vi.stubEnv('NODE_ID', 'me');
  vi.stubEnv('LOCK_SERVER_URL', 'http://127.0.0.1:1');
  const env = cliEnv({ NODE_ID: 'node-a' });
  vi.unstubAllEnvs();
  expect(env).toMatchObject({ NODE_ID: 'node-a', PATH: process.env['PATH'] });
  expect(env).not.toHaveProperty('LAYERPULL_STORE');
  expect(env).not.toHaveProperty('LOCK_SERVER_URL');
  expect(existsSync(env['HOME'] ?? '')).toBe(true);
});

// Needs the build, which `npm test` makes first.
describe.skipIf(!existsSync(inRoot('dist', 'program', 'layerpull.cjs')))('the built program', () => {
  test('runs to its end', async () => {
    const { code, signal, stdout, stderr } = await runCli(['--version']);
    expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' });
    expect(stdout).toContain(`layerpull/${version}`);
  });

  test('can be watched and stopped while it runs', async () => {
    const child = await spawnCli(['serve', '--ephemeral', '--addr', '127.0.0.1:0', '--log-level', 'info']);
    await child.stdout.waitFor(/http:\/\/127\.0\.0\.1:\d+\n/);
    expect(child.isRunning()).toBe(true);
    child.kill('SIGKILL');
    expect(await child.exited).toEqual({ code: null, signal: 'SIGKILL' });
    await expect(child.waitForStderr(/never said/)).rejects.toThrow('never said');
  });

  test('runs in a terminal', async () => {
    const terminal = spawnInTerminal(['--version']);
    expect(await terminal.exited).toEqual({ code: 0 });
    expect(terminal.output.text()).toContain(`layerpull/${version}`);
    expect(terminal.isCursorVisible()).toBe(true);
  });
});
