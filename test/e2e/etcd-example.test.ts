import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { expect, it } from 'vitest';
import { systemClock as clock } from '../../src/core/clock.ts';
import { toNodeId } from '../../src/core/ids.ts';
import { createHttpLocks } from '../../src/lock/backends/http/http-locks.ts';
import { onCleanup } from '../support/cleanup.ts';
import { type CliChild, runCli, spawnCli } from '../support/cli.ts';
import { describeWith, requireComponent } from '../support/components.ts';
import { type ComposeService, readComposeServices } from '../support/deploy-files.ts';
import { resourceNamed } from '../support/lock-client.ts';
import { type Child, spawnProcess } from '../support/processes.ts';
import { tempDir } from '../support/temp.ts';

const services = readComposeServices('etcd/compose.yaml');
const token = 'token-of-the-fleet';

/** Free at the same time, so that no two are the same. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => net.createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === 'object' && address ? address.port : 0;
  });
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

/** The words of a command as this machine takes them: names and ports of containers are ports of it, paths temporary. */
function localWords(
  { name, command }: ComposeService,
  places: ReadonlyMap<string, string>,
  paths: Readonly<Record<string, string>>,
): string[] {
  return command.map((word) => {
    let local = word.replace('0.0.0.0', name).replace('--addr=:8080', '--addr=127.0.0.1:0');
    for (const [from, to] of places) local = local.replaceAll(new RegExp(`(?<=[/,])${from}`, 'g'), to);
    for (const [from, to] of Object.entries(paths)) local = local.replace(from, to);
    return local;
  });
}

async function startAll(): Promise<{ etcds: Child[]; servers: { child: CliChild; url: string }[] }> {
  const members = services.filter(({ command }) => command[0] === '/usr/local/bin/etcd');
  const ports = await freePorts(members.length * 2);
  const places = new Map(
    members.flatMap(({ name }, at) => [
      [`${name}:2379`, `127.0.0.1:${ports[at * 2]}`] as const,
      [`${name}:2380`, `127.0.0.1:${ports[at * 2 + 1]}`] as const,
    ]),
  );
  const { path: program, env } = requireComponent('etcd');
  const startMember = (member: ComposeService) => {
    const words = localWords(member, places, { '/var/lib/etcd': path.join(tempDir(), 'etcd') }).slice(1);
    return spawnProcess(program, [...words, '--logger=zap', '--log-level=warn'], {
      env: { PATH: process.env['PATH'], ...env },
    });
  };
  const tokenFile = path.join(tempDir(), 'token');
  writeFileSync(tokenFile, token, { mode: 0o600 });
  const startServer = async (server: ComposeService) => {
    const child = await spawnCli(localWords(server, places, { '/run/secrets/token': tokenFile }));
    const [url] = await child.stdout.waitFor(/http:\/\/[\d.]+:\d+/);
    return { child, url };
  };
  const etcds = await Promise.all(members.map(startMember));
  const others = services.filter(({ command }) => command[0] === 'serve');
  return { etcds, servers: await Promise.all(others.map(startServer)) };
}

function clientOf(url: string) {
  const trust = { token: () => token, tls: () => undefined, look: () => {} };
  const locks = createHttpLocks({ servers: [new URL(url)], version: 'test', clock, trust });
  onCleanup(() => locks.close());
  return locks;
}

describeWith(['etcd'], 'the compose file with etcd', () => {
  it('makes one service of three servers, which goes on without one of them and one of its etcds', async () => {
    const { etcds, servers } = await startAll();
    const [first, second] = servers.map(({ url }) => clientOf(url));
    if (!first || !second) throw new Error('fewer than two servers');
    const nodeId = toNodeId('node-1');
    const { sessionId } = await first.openSession({ nodeId });
    const asked = { type: 'pull' as const, resourceId: resourceNamed('layer'), nodeId, sessionId };
    const granted = await first.acquire(asked);
    expect(granted.kind).toBe('granted');

    etcds[0]?.kill('SIGKILL');
    servers[0]?.child.kill('SIGKILL');
    await servers[0]?.child.exited;
    // The same grant, under the same token.
    const { resourceId } = asked;
    const kept = granted.kind === 'granted' ? [{ resourceId, token: granted.token }] : [];
    expect(await second.renew(sessionId, { held: [] })).toMatchObject({ granted: kept });
    const file = path.join(tempDir(), 'token');
    writeFileSync(file, token, { mode: 0o600 });
    const all = servers.map(({ url }) => url).join(',');
    const store = path.join(tempDir(), 'store');
    const doctor = await runCli(['doctor', '--server', all, '--token-file', file, '--store', store]);
    const names = servers
      .slice(1)
      .map(({ url }) => url)
      .join(', ');
    expect(doctor.stdout).toContain(`clients go on with ${names}: 2 of 3`);
    const status = await runCli(['status', '--json', '--server', all, '--token-file', file]);
    expect([status.code, status.stdout]).toEqual([0, expect.stringContaining('node-1')]);
  });
});
