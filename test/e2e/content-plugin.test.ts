import { existsSync, statSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { runCli, spawnCli } from '../support/cli.ts';
import { startContentPlugin } from '../support/content-plugin.ts';
import { startLockServer } from '../support/lock-servers.ts';
import { tempDir } from '../support/temp.ts';

const newStore = () => path.join(tempDir(), 'store');
const newSocket = () => path.join(tempDir(), 'content.sock');
const pluginArgs = (socket: string, store = newStore()) => [
  ...['content-plugin', '--socket', socket, '--store', store, '--node', 'node-a'],
];

describe('layerpull content-plugin', () => {
  test('prints its socket once it listens, logs lines of JSON, and ends with exit code 0 when told to', async () => {
    const { child, socket, log } = await startContentPlugin({ node: 'node-a', store: newStore() });
    expect(child.stdout.text()).toBe(`${socket}\n`);
    expect(statSync(socket).isSocket()).toBe(true);
    await log.waitFor('content plugin started', { socket, node: 'node-a', by: 'store' });
    expect(log.all()).toHaveLength(child.stderr.lines().length);
    child.kill('SIGTERM');
    expect(await child.exited).toEqual({ code: 0, signal: null });
    expect(existsSync(socket)).toBe(false);
  });

  test('prints a document with --json', async () => {
    const server = await startLockServer();
    const [socket, store] = [newSocket(), newStore()];
    const more = ['--server', server.url, '--peer-addr', '127.0.0.1:0', '--json'];
    const child = await spawnCli([...pluginArgs(socket, store), ...more]);
    await child.stdout.waitFor(/\}\n/);
    expect(JSON.parse(child.stdout.text())).toEqual({
      ...{ socket, store, peerUrl: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) },
    });
  });

  test('is configured by the environment of older clients', async () => {
    const server = await startLockServer();
    const socket = newSocket();
    const env = { LOCK_SERVER_URL: server.url, NODE_ID: 'node-7', CONTENTD_SOCKET: socket };
    const child = await spawnCli(['content-plugin', '--store', newStore(), '--peer-addr', '127.0.0.1:0'], {
      env,
    });
    await child.stdout.waitFor(/\n/);
    expect(child.stdout.text()).toBe(`${socket}\n`);
    const nodes = await runCli(['nodes', '--server', server.url, '--json']);
    expect(nodes.stdout).toContain('"nodeId": "node-7"');
  });

  test('takes over the socket of one that was killed', async () => {
    const store = newStore();
    const killed = await startContentPlugin({ node: 'node-a', store });
    killed.child.kill('SIGKILL');
    await killed.child.exited;
    const { socket } = killed;
    expect(existsSync(socket)).toBe(true);
    await startContentPlugin({ node: 'node-a', store, socket });
  });

  test('leaves a socket alone on which somebody answers, and a file that is no socket', async () => {
    const running = await startContentPlugin({ node: 'node-a', store: newStore() });
    const second = await runCli(pluginArgs(running.socket));
    expect([second.code, second.stdout]).toEqual([2, '']);
    expect(oneLineOf(second.stderr)).toContain(running.socket);

    const foreign = newSocket();
    const server = net.createServer().listen(foreign);
    await new Promise((resolve) => server.once('listening', resolve));
    const refused = await runCli(pluginArgs(foreign));
    expect([refused.code, existsSync(foreign)]).toEqual([2, true]);
    await new Promise((resolve) => server.close(resolve));

    const file = path.join(tempDir(), 'file');
    writeFileSync(file, 'kept');
    const third = await runCli(pluginArgs(file));
    expect([third.code, statSync(file).size]).toEqual([2, 4]);
    oneLineOf(third.stderr);
  });

  test('says in one line that a path is too long for a socket', async () => {
    const { code, stderr } = await runCli(pluginArgs(`/tmp/${'a'.repeat(110)}`));
    expect(code).toBe(2);
    expect(oneLineOf(stderr)).toContain("a socket's path at most 107");
  });

  test('two serve one store under two names, and one name is refused to a second', async () => {
    const store = newStore();
    await startContentPlugin({ node: 'node-a', store });
    await startContentPlugin({ node: 'node-b', store });
    const { code, stderr } = await runCli(pluginArgs(newSocket(), store));
    expect(code).not.toBe(0);
    expect(oneLineOf(stderr)).toContain('--node');
  });
});

/** The error, which is one line, beside what is logged. */
function oneLineOf(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{'));
  expect(lines).toHaveLength(1);
  return lines[0] ?? '';
}
