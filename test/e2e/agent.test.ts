import { once } from 'node:events';
import http from 'node:http';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { spawnAgent, startAgent } from '../support/agents.ts';
import { onCleanup } from '../support/cleanup.ts';
import { runCli } from '../support/cli.ts';
import { describeWith } from '../support/components.ts';
import { startGateProxy } from '../support/gate-proxy.ts';
import { get } from '../support/get.ts';
import { pushImage } from '../support/images.ts';
import { patientAgent, patientPull, patientServer } from '../support/patient.ts';
import { asPlainUser, giveBack, makeReadOnly } from '../support/plain-user.ts';
import { downloadsByDigest, resultOf, startPull, startServer, verifyStore } from '../support/pulls.ts';
import { startRegistry } from '../support/real-registry.ts';
import { soon } from '../support/soon.ts';
import { tempDir } from '../support/temp.ts';

/** A registry with one image, and a gate before it. */
async function setUp() {
  const registry = await startRegistry();
  const image = await pushImage(registry, 'team/app', { layers: [300_000, 400_000, 500_000] });
  await registry.clearLog();
  const gate = await startGateProxy(registry);
  const digests = [image.config, ...image.layers].map((blob) => blob.digest);
  const store = path.join(tempDir(), 'store');
  return { registry, gate, digests, store, reference: `${gate.host}/team/app` };
}

async function sessionsAt(server: string) {
  const run = await runCli(['nodes', '--server', server, '--json']);
  const { nodes }: { nodes: { nodeId: string; state: string; url: string | null }[] } = JSON.parse(
    run.stdout,
  );
  return nodes.filter(({ state }) => state !== 'offline');
}

describe('an agent', () => {
  it('prints its store when it serves no other nodes, and ends with exit code 0 when it is told to', async () => {
    const store = path.join(tempDir(), 'store');
    const { line, child } = await startAgent({ store });
    expect(line).toBe(store);
    child.kill('SIGTERM');
    expect(await child.exited).toEqual({ code: 0, signal: null });
  });

  it.each(['status', 'nodes'])(
    'is missed by %s when it is stopped, exit 7, and not taken for nobody',
    async (command) => {
      const store = path.join(tempDir(), 'store');
      const { child } = await startAgent({ store });
      child.kill('SIGSTOP');
      const run = await runCli([command, '--store', store]);
      expect(run).toMatchObject({ code: 7, stdout: '' });
      expect(run.stderr).toContain(`the agent of the store ${store} (process ${child.pid}) does not answer`);
    },
  );

  it('prints where it serves other nodes, as a line or as a document', async () => {
    const { url: server } = await startServer();
    const { line } = await startAgent({ store: path.join(tempDir(), 'store'), server });
    expect(line).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect((await get(`${line}/v2/`)).status).toBe(200);
    const store = path.join(tempDir(), 'store');
    const child = await spawnAgent({ store, server, more: ['--json'] });
    await child.stdout.waitFor(/\n\}/);
    expect(JSON.parse(child.stdout.text())).toEqual({
      store,
      peerUrl: expect.stringMatching(/^http:/),
      registryUrl: null,
      contentSocket: null,
    });
  });

  it('prints where its registry mirror is, after where it serves other nodes or its store', async () => {
    const store = path.join(tempDir(), 'store');
    const mirror = ['--registry-addr', '127.0.0.1:0'];
    const { child } = await startAgent({ store, more: mirror });
    const [, url] = await child.stdout.waitFor(/\n(http:\/\/127\.0\.0\.1:\d+)\n/);
    expect(child.stdout.lines()).toEqual([store, url]);
    expect((await get(`${url}/v2/`)).status).toBe(200);
    const other = await spawnAgent({ store: path.join(tempDir(), 'store'), more: [...mirror, '--json'] });
    await other.stdout.waitFor(/\n\}/);
    expect(JSON.parse(other.stdout.text())).toMatchObject({
      ...{ peerUrl: null, registryUrl: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) },
    });
  });

  it('ends with one line where the address of its mirror is taken', async () => {
    const { child } = await startAgent({
      store: path.join(tempDir(), 'store'),
      more: ['--registry-addr', '127.0.0.1:0'],
    });
    const [, taken = ''] = await child.stdout.waitFor(/\nhttp:\/\/(\S+)\n/);
    const store = path.join(tempDir(), 'store');
    const run = await runCli([
      ...['agent', '--store', store, '--registry-addr', taken, '--log-level', 'error'],
    ]);
    expect([run.code, run.stdout]).toEqual([2, '']);
    expect(run.stderr).toBe(
      `layerpull: cannot listen on ${taken}: the address is in use (choose another address with --registry-addr)\n`,
    );
  });

  it('ends with one line where it may not write into its store', async () => {
    const store = path.join(tempDir(), 'store');
    const { child } = await startAgent({ store });
    child.kill('SIGTERM');
    await child.exited;
    makeReadOnly(store);
    const run = await runCli(['agent', '--store', store], { via: asPlainUser });
    giveBack(store);
    expect([run.code, run.stdout]).toEqual([8, '']);
    expect(run.stderr).toMatch(
      /^layerpull: cannot coordinate the store .*: permission denied \(.*--store\)\n$/,
    );
  });

  it('starts and serves its store while its lock server is out of reach, and says so', async () => {
    const { line, child } = await startAgent({ store: path.join(tempDir(), 'store'), server: '127.0.0.1:1' });
    expect(line).toMatch(/^http:/);
    await child.waitForStderr(/going on without it/);
  });
});

describeWith(['docker-registry'], 'pulls on the store of an agent', () => {
  it('take each layer from the registry once, through its one session at the lock server', async () => {
    const { registry, gate, reference, store, digests } = await setUp();
    const { url: server } = await startServer('127.0.0.1:0', ['--ephemeral', ...patientServer]);
    await startAgent({ store, server, more: patientAgent });
    gate.shut(1_000);
    const first = await startPull({ reference, store, server, node: 'node-a', more: patientPull });
    await gate.waiting(3);
    const second = await startPull({ reference, store, node: 'node-b', more: patientPull });
    await second.nextJsonEvent('waiting', (event) => event['holder'] === 'node-a');
    expect((await sessionsAt(server)).map(({ nodeId }) => nodeId)).toEqual(['agent']);
    gate.open();
    const results = [resultOf(await first.result()), resultOf(await second.result())];
    expect([...downloadsByDigest(results).values()]).toEqual(digests.map(() => 1));
    for (const digest of digests) expect(await registry.blobGets(digest)).toBe(1);
    await verifyStore(store);
  });

  it('go on without it when it is stopped, and name it', async () => {
    const { reference, store } = await setUp();
    const { child } = await startAgent({ store });
    child.kill('SIGSTOP');
    const pull = await startPull({ reference, store });
    resultOf(await pull.result());
    const warnings = pull.jsonEvents().filter(({ kind }) => kind === 'warning');
    expect(warnings.map(({ message }) => message)).toEqual([
      'the agent of the store did not answer within 3 s; going on without coordination',
    ]);
  });

  it('are seen by status on the store, and what they brought at the lock server', async () => {
    const { gate, reference, store, digests } = await setUp();
    const { url: server } = await startServer('127.0.0.1:0', ['--ephemeral', ...patientServer]);
    await startAgent({ store, server, more: patientAgent });
    gate.shut(100_000);
    const pull = await startPull({ reference, store, server, node: 'node-a', more: patientPull });
    await gate.waiting(3);
    const local = JSON.parse((await runCli(['status', '--store', store, '--json'])).stdout);
    expect(local.resources[0]?.holder).toMatchObject({ nodeId: 'node-a' });
    const upstream = JSON.parse((await runCli(['status', '--server', server, '--json'])).stdout);
    expect(upstream.resources[0]?.holder).toMatchObject({ nodeId: 'agent' });
    gate.open();
    resultOf(await pull.result());
    const { stdout } = await runCli(['status', digests[0] ?? '', '--server', server, '--json']);
    expect(JSON.parse(stdout).resources[0].copies[0]).toMatchObject({ nodeId: 'agent' });
  });

  it('are followed by rm and prune there, with and without --server', async () => {
    const { reference, store } = await setUp();
    const { url: server } = await startServer();
    await startAgent({ store, server });
    resultOf(await (await startPull({ reference, store, server })).result());
    const removed = await runCli(['rm', reference, '--store', store, '--server', server]);
    expect(removed.code, removed.stderr).toBe(0);
    expect(await verifyStore(store)).toEqual([]);
    const pruned = await runCli(['prune', '--store', store]);
    expect(pruned.code, pruned.stderr).toBe(0);
    resultOf(await (await startPull({ reference, store, server })).result());
    expect(await verifyStore(store)).toHaveLength(5);
  });

  it('go on when the agent is killed, and when another one takes its place', async () => {
    const { registry, gate, reference, store, digests } = await setUp();
    const { url: server } = await startServer('127.0.0.1:0', ['--ephemeral', ...patientServer]);
    const { child } = await startAgent({ store, server, more: patientAgent });
    gate.shut(1_000);
    const first = await startPull({ reference, store, server, node: 'node-a', more: patientPull });
    await gate.waiting(3);
    const second = await startPull({ reference, store, server, node: 'node-b', more: patientPull });
    await second.nextJsonEvent('waiting', (event) => event['holder'] === 'node-a');
    child.kill('SIGKILL');
    await child.exited;
    const next = await spawnAgent({ store, server, node: 'agent-2' });
    gate.open();
    const results = [resultOf(await first.result()), resultOf(await second.result())];
    expect(Math.max(...downloadsByDigest(results).values())).toBe(1);
    for (const digest of digests) expect(await registry.blobGets(digest)).toBe(1);
    await next.stdout.waitFor(/^http/);
    resultOf(await (await startPull({ reference, store, server })).result());
    await verifyStore(store);
  });

  it('keep an agent that starts later waiting, which says for whom and takes over then', async () => {
    const { gate, reference, store } = await setUp();
    const { url: server } = await startServer('127.0.0.1:0', ['--ephemeral', ...patientServer]);
    gate.shut(1_000);
    const pull = await startPull({ reference, store, node: 'node-a', more: patientPull });
    await gate.waiting(3);
    const child = await spawnAgent({ store, server });
    await child.waitForStderr(new RegExp(`process ${pull.pid} coordinates the store`));
    expect(child.stdout.text()).toBe('');
    gate.open();
    resultOf(await pull.result());
    await child.stdout.waitFor(/^http/);
  });

  it('go to the registry when the lock server of the agent goes, and say nothing of it', async () => {
    const { reference, store, digests } = await setUp();
    const { url: server, child } = await startServer();
    const agent = await startAgent({ store, server });
    child.kill('SIGKILL');
    await child.exited;
    const run = await (await startPull({ reference, store, server })).result();
    expect(downloadsByDigest([resultOf(run)]).size).toBe(digests.length);
    expect(run.stderr).not.toMatch(/warning/);
    await agent.child.waitForStderr(/going on without it/);
  });
});

describeWith(['docker-registry'], 'an agent at a lock server', () => {
  it('announces what its store has at the start, and serves it', async () => {
    const { reference, store, digests } = await setUp();
    resultOf(await (await startPull({ reference, store })).result());
    const { url: server } = await startServer();
    const { line } = await startAgent({ store, server });
    expect((await get(`${line}/v2/any/blobs/${digests[0]}`)).status).toBe(200);
    await soon(async () => {
      expect((await sessionsAt(server))[0]).toMatchObject({ nodeId: 'agent', url: line });
    });
  });

  it('is not left by those who read from it when it is told to end, and takes nobody else', async () => {
    const { line, child, reader, server, bytes } = await withSlowReader(['--drain-timeout', '10m']);
    child.kill('SIGTERM');
    await soon(async () => {
      expect((await sessionsAt(server))[0]).toMatchObject({ state: 'draining' });
    });
    await child.waitForStderr(/waiting for those who read from here/);
    expect(child.isRunning()).toBe(true);
    reader.resume();
    expect(await reader.bytes).toBe(bytes);
    expect(await child.exited).toEqual({ code: 0, signal: null });
    await expect(get(`${line}/v2/`)).rejects.toThrow();
  });

  it('sends who asks for more than --max-transfers elsewhere', async () => {
    const { url, reader, bytes } = await withSlowReader(['--max-transfers', '1']);
    expect((await get(url)).status).toBe(503);
    reader.resume();
    expect(await reader.bytes).toBe(bytes);
    await soon(async () => expect((await get(url)).status).toBe(200));
  });

  it('ends at once when it is told to twice', async () => {
    const { child, reader } = await withSlowReader(['--drain-timeout', '10m']);
    child.kill('SIGTERM');
    await child.waitForStderr(/waiting for those who read from here/);
    child.kill('SIGTERM');
    expect(await child.exited).toEqual({ code: 143, signal: null });
    reader.resume();
    await expect(reader.bytes).rejects.toThrow();
  });
});

/** More than the buffers of two sockets keep. */
const largeBytes = 40_000_000;

/** An agent with a layer, and somebody who reads it and stops in the middle. */
async function withSlowReader(more: readonly string[] = []) {
  const registry = await startRegistry();
  const image = await pushImage(registry, 'team/app', { layers: [largeBytes] });
  const store = path.join(tempDir(), 'store');
  const reference = `${registry.host}/team/app`;
  resultOf(await (await startPull({ reference, store })).result());
  const { url: server } = await startServer();
  const { line, child } = await startAgent({ store, server, more });
  const url = `${line}/v2/any/blobs/${image.layers[0]?.digest}`;
  const reader = await readSlowly(url);
  return { line, url, child, server, reader, bytes: image.layers[0]?.size };
}

/** Reads the first bytes of an answer, then so few that it is only not cut off, and the rest when it is told to. */
async function readSlowly(url: string) {
  const [answer] = await once(http.get(url), 'response');
  let count = 0;
  let isSlow = true;
  onCleanup(systemClock.every(2_000, () => answer.resume()));
  const bytes = new Promise<number>((resolve, reject) => {
    answer.on('data', (piece: Buffer) => {
      count += piece.length;
      if (isSlow) answer.pause();
    });
    answer.once('end', () => resolve(count)).once('error', reject);
    answer.once('close', () => reject(new Error('cut')));
  });
  bytes.catch(() => {});
  const resume = () => {
    isSlow = false;
    answer.resume();
  };
  return { bytes, resume };
}
