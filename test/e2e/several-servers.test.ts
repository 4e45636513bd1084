import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { startAgent } from '../support/agents.ts';
import { onCleanup } from '../support/cleanup.ts';
import { type CliChild, runCli } from '../support/cli.ts';
import { startContentPlugin } from '../support/content-plugin.ts';
import { createFakeRegistry } from '../support/fake-registry.ts';
import { startGateProxy } from '../support/gate-proxy.ts';
import { type LockCluster, startLockCluster } from '../support/lock-cluster.ts';
import { patientSources } from '../support/patient.ts';
import { downloadsByDigest, resultOf, startPull, verifyStore } from '../support/pulls.ts';
import { tempDir } from '../support/temp.ts';

/** Nobody is left for being slow while a test holds the bytes back. */
const patient = [...patientSources, '--first-contact', '60s', '--out-of-reach', '60s'];
const newStore = () => path.join(tempDir(), 'store');

/** Three servers of one service, as they are given to `--server`. */
async function setUp() {
  const cluster = await startLockCluster(3, { heartbeatMs: 1_000 });
  const [first, second, third] = cluster.servers;
  if (!first || !second || !third) throw new Error('there are three');
  return { cluster, servers: [first, second, third] as const, list: cluster.urls.join(',') };
}

async function image() {
  const registry = await createFakeRegistry();
  onCleanup(() => registry.close());
  const made = registry.addImage({ layers: [300_000, 400_000] });
  const gate = await startGateProxy(registry);
  const reference = made.reference.replace(/^[^/]+/, gate.host);
  return { gate, reference, layers: made.layers };
}

async function linesOf(child: CliChild): Promise<string[]> {
  await child.exited;
  return child.stderr.lines();
}

const sessionsOf = (cluster: LockCluster) => cluster.service.counts().sessions;

describe('commands that are given several lock servers', () => {
  it('ask whichever answers, and say how many were tried where none does', async () => {
    const { servers, list } = await setUp();
    await servers[0].kill();
    servers[1].freeze();
    const nodes = await runCli(['nodes', '--server', list, '--json']);
    expect([nodes.code, JSON.parse(nodes.stdout)]).toEqual([0, { coordinated: true, nodes: [] }]);
    const status = await runCli(['status', '--server', list]);
    expect([status.code, status.stdout.trim()]).toEqual([0, 'no layer is held or waited for']);
    servers[2].fail();
    await servers[1].kill();
    const none = await runCli(['status', '--server', list]);
    expect([none.code, none.stdout]).toEqual([7, '']);
    expect(none.stderr).toMatch(/^.*lock server http:.* \(the last of 3 lock servers that were tried\).*\n$/);
  });

  it('are told by doctor which of them is gone', async () => {
    const { servers, list } = await setUp();
    await servers[1].kill();
    const run = await runCli(['doctor', '--server', list, '--store', newStore()]);
    expect(run.code).toBe(7);
    const said = run.stdout.split('\n').filter((line) => line.includes('lock server'));
    expect(said.map((line) => line.split(/\s+/)[0])).toEqual(['ok', 'fail', 'ok', 'ok']);
    expect(said[1]).toContain(servers[1].url);
    expect(said[3]).toContain('2 of 3');
  });
});

describe('pulls at several lock servers', () => {
  it('go on at another one when theirs is killed, and share each layer all the same', async () => {
    const { cluster, servers, list } = await setUp();
    const { gate, reference, layers } = await image();
    gate.shut(100_000);
    const stores = [newStore(), newStore(), newStore()];
    const pulls = await Promise.all(
      stores.map((store, index) =>
        startPull({ reference, store, node: `node-${index}`, server: list, more: patient }),
      ),
    );
    await gate.waiting(2);
    await expect.poll(() => sessionsOf(cluster)).toBe(3);
    const busiest = servers.toSorted((one, other) => other.streams - one.streams)[0];
    await busiest?.kill();
    const streams = () => servers.reduce((sum, server) => sum + server.streams, 0);
    await expect.poll(() => (busiest?.streams === 0 ? streams() : 0)).toBe(3);
    gate.open();
    const results = (await Promise.all(pulls.map((child) => child.result()))).map(resultOf);
    // Two nodes may read the small configuration at once, before either has a byte for the other.
    const loads = layers.map(({ digest }) => downloadsByDigest(results).get(digest));
    expect(loads, JSON.stringify(results.map((result) => result.layers))).toEqual([1, 1]);
    for (const store of stores) await verifyStore(store);
    for (const child of pulls) expect((await linesOf(child)).join('\n')).not.toContain('"warning"');
  });
});

describe('a pull whose lock servers are without their etcd', () => {
  it('goes on after three seconds, and says what they answered', async () => {
    const { servers, list } = await setUp();
    const { gate, reference } = await image();
    gate.open();
    for (const server of servers) server.fail();
    const pull = await startPull({ reference, store: newStore(), node: 'node-1', server: list });
    resultOf(await pull.result());
    const warnings = pull.jsonEvents().filter(({ kind }) => kind === 'warning');
    expect(warnings).toEqual([
      expect.objectContaining({
        code: 'lock_unreachable',
        hint: 'see the logs of the lock servers',
        message: expect.stringMatching(
          /^the lock server http:\S+ failed POST \/sessions with status 503.* \(the last of 3 lock servers that were tried\); going on without coordination$/,
        ),
      }),
    ]);
  });
});

describe('daemons at several lock servers', () => {
  it('say that they go on without them where none answers', async () => {
    const server = '127.0.0.1:1,127.0.0.1:2,127.0.0.1:3';
    const agent = await startAgent({ store: newStore(), server });
    const plugin = await startContentPlugin({ node: 'plugin', store: newStore(), server });
    for (const { child } of [agent, plugin])
      await child.waitForStderr(/\(the last of 3 lock servers that were tried\); going on without them"/);
  });

  it('call them by their number where none says anything', async () => {
    const { servers, list } = await setUp();
    for (const server of servers) server.freeze();
    const agent = await startAgent({ store: newStore(), server: list });
    const plugin = await startContentPlugin({ node: 'plugin', store: newStore(), server: list });
    for (const { child } of [agent, plugin])
      await child.waitForStderr(/"the 3 lock servers did not answer within 3 s; going on without them"/);
  });

  it('keep their sessions when their server is killed', async () => {
    const { cluster, servers, list } = await setUp();
    const agent = await startAgent({ store: newStore(), server: list, node: 'agent' });
    const plugin = await startContentPlugin({ node: 'plugin', store: newStore(), server: list });
    const listening = () => servers.filter(({ streams }) => streams > 0);
    const streams = () => servers.reduce((sum, server) => sum + server.streams, 0);
    await expect.poll(streams).toBe(2);
    const [used] = listening();
    await used?.kill();
    await expect.poll(() => (used?.streams === 0 ? streams() : 0)).toBe(2);
    const nodes = await runCli(['nodes', '--server', list, '--json']);
    expect(JSON.parse(nodes.stdout).nodes).toHaveLength(2);
    expect(nodes.stdout.match(/"state": "online"/g)).toHaveLength(2);
    const opened = cluster.servers.flatMap(({ calls }) => calls.filter((name) => name === 'openSession'));
    expect(opened).toHaveLength(2);
    for (const { child } of [agent, plugin]) {
      child.kill('SIGTERM');
      expect(await child.exited).toEqual({ code: 0, signal: null });
    }
    expect(sessionsOf(cluster)).toBe(0);
  });
});
