import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { runCli } from '../support/cli.ts';
import { describeWith } from '../support/components.ts';
import { spawnInTerminal } from '../support/pty.ts';
import { credentials, startRegistry } from '../support/real-registry.ts';
import { tempDir } from '../support/temp.ts';

const { username, password } = credentials;

describeWith(['docker-registry'], 'layerpull login on a terminal', () => {
  test('asks for the user name and, without showing it, for the password', async () => {
    const registry = await startRegistry({ auth: true });
    const home = tempDir();
    const terminal = spawnInTerminal(['login', registry.host], { env: { HOME: home } });
    await terminal.output.waitFor(/User name for 127/);
    terminal.write(`${username}\r`);
    await terminal.output.waitFor(/Password:/);
    terminal.write(`wrong\x15${password}\r`);
    expect((await terminal.exited).code).toBe(0);
    expect(terminal.output.text()).toContain('Login Succeeded');
    expect(terminal.output.text()).not.toContain(password);
    const config = JSON.parse(readFileSync(path.join(home, '.docker', 'config.json'), 'utf8'));
    expect(Object.keys(config.auths)).toEqual([registry.host]);
  });

  test('ends with 130 when Ctrl-C is pressed instead of a password', async () => {
    const registry = await startRegistry({ auth: true });
    const terminal = spawnInTerminal(['login', registry.host, '-u', username]);
    await terminal.output.waitFor(/Password:/);
    terminal.write('\x03');
    expect((await terminal.exited).code).toBe(130);
  });
});

test('login without a terminal says how to give the password', async () => {
  const run = await runCli(['login', 'registry.example', '-u', 'bob', '--json']);
  expect(run.code).toBe(2);
  expect(JSON.parse(run.stdout).error.hint).toContain('--password-stdin');
});

test.each([
  [['login', 'registry.example', '--password-stdin'], '--password-stdin needs --username'],
  [['login', '-u', 'bob', '-p', 'hunter2', '--password-stdin'], 'exclude each other'],
  [['login', '-u', 'bob', '--password-stdin'], 'the password is empty'],
  [['login', '-u', 'bob:x', '-p', 'hunter2'], 'a user name has no colon'],
  [['login', 'bob:hunter2@registry.example', '-u', 'bob', '-p', 'x'], 'is not the name of a registry'],
  [['logout', 'not a registry'], 'is not the name of a registry'],
])('%j is refused', async (args, message) => {
  const run = await runCli(args);
  expect([run.code, run.stdout]).toEqual([2, '']);
  expect(run.stderr).toContain(message);
  expect(run.stderr).not.toContain('hunter2');
});
