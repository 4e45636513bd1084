import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { withOwnCleanups } from '../support/cleanup.ts';
import { reportMissing } from '../support/components.ts';
import { createNetwork, isAlive, type NetworkHost, ownIdentity, whyNoNetworks } from '../support/netns.ts';
import { type Child, spawnProcess } from '../support/processes.ts';
import { soon } from '../support/soon.ts';

const serveZeros = `
require('node:net')
  .createServer((socket) => socket.on('error', () => {}).end(Buffer.alloc(Number(process.argv[1]))))
  .listen(7000, () => console.log('listening'));
`;
const readAll = `
const socket = require('node:net').connect({ host: process.argv[1], port: 7000, timeout: 3_000 });
let bytes = 0;
socket.on('data', (piece) => { bytes += piece.length; });
socket.on('timeout', () => socket.destroy(new Error('silence')));
socket.on('error', (error) => console.log(error.message)).on('end', () => console.log('read ' + bytes));
`;

async function nodeOn(host: NetworkHost, code: string, ...args: string[]): Promise<Child> {
  const [program = '', ...rest] = [...host.via, process.execPath, '-e', code, ...args];
  return await spawnProcess(program, rest, { env: process.env });
}

async function read(host: NetworkHost, from: NetworkHost): Promise<string> {
  const child = await nodeOn(host, readAll, from.address);
  await child.exited;
  return child.stdout.text().trim();
}

function ownNamespaces(): string[] {
  return readdirSync('/run/netns').filter((name) => name.includes(`-${ownIdentity()}-`));
}

const problem = whyNoNetworks();
if (problem) reportMissing(problem);

describe.runIf(!problem)('a network of namespaces', () => {
  it('carries bytes between its hosts and counts them on both sides', async () => {
    const network = createNetwork();
    const server = network.addHost('server', { mbitPerSecond: 100 });
    const client = network.addHost('client');
    await (await nodeOn(server, serveZeros, '1000000')).stdout.waitFor(/listening/);
    expect(await read(client, server)).toBe('read 1000000');
    for (const bytes of [server.traffic().sent, client.traffic().received]) {
      expect(bytes).toBeGreaterThan(1_000_000);
      expect(bytes).toBeLessThan(1_100_000);
    }
  });

  it('carries nothing over a link that is cut, until it is mended', async () => {
    const network = createNetwork();
    const server = network.addHost('server');
    const client = network.addHost('client');
    await (await nodeOn(server, serveZeros, '10')).stdout.waitFor(/listening/);
    server.cut();
    expect(await read(client, server)).not.toContain('read');
    server.mend();
    await soon(async () => expect(await read(client, server)).toBe('read 10'));
  });

  it('ends with its test, with what still runs in it', async () => {
    const ended = await withOwnCleanups(async () => {
      const host = createNetwork().addHost('host');
      const [program = '', ...rest] = [...host.via, 'sh', '-c', 'echo inside; exec sleep 1000'];
      const sleeper = spawn(program, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
      const exit = new Promise((resolve) => sleeper.once('exit', (_code, signal) => resolve(signal)));
      await once(sleeper.stdout, 'data');
      expect(ownNamespaces()).toHaveLength(2);
      return { exit };
    });
    expect(ownNamespaces()).toEqual([]);
    expect(await ended.exit).toBe('SIGKILL');
  });

  it('takes away what a killed process left, and nothing of one that runs', () => {
    const left = 'layerpull-net-99999999-1-0-switch';
    execFileSync('ip', ['netns', 'add', left]);
    createNetwork();
    const before = ownNamespaces();
    createNetwork();
    expect(readdirSync('/run/netns')).not.toContain(left);
    expect(ownNamespaces()).toEqual(expect.arrayContaining(before));
  });

  it('is not taken for one that a killed process left', () => {
    expect(isAlive(ownIdentity())).toBe(true);
    expect(isAlive(`${process.pid}-1`)).toBe(false);
  });
});
