import path from 'node:path';
import { expect, test } from 'vitest';
import { describeWith, reportMissing, requireComponent } from '../../../support/components.ts';
import { askFrom } from '../../../support/http-on-host.ts';
import { resourceNamed } from '../../../support/lock-client.ts';
import { startLockServer } from '../../../support/lock-servers.ts';
import { createNetwork, type NetworkHost, whyNoNetworks } from '../../../support/netns.ts';
import { spawnProcess } from '../../../support/processes.ts';
import { tempDir } from '../../../support/temp.ts';

const layer = resourceNamed('layer');
const ttlMs = 9_000;

/** An etcd that others reach on the network of its host. */
async function startEtcdOn({ via, address }: NetworkHost): Promise<string> {
  const etcd = requireComponent('etcd');
  const [command = '', ...before] = [...via, etcd.path];
  const [client, peer] = [`http://${address}:2379`, `http://${address}:2380`];
  const flags = {
    ...{
      name: 'm0',
      'data-dir': path.join(tempDir(), 'etcd'),
      'initial-cluster': `m0=${peer}`,
      logger: 'zap',
    },
    ...{ 'listen-client-urls': client, 'advertise-client-urls': client },
    ...{ 'listen-peer-urls': peer, 'initial-advertise-peer-urls': peer },
  };
  const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  const env = { PATH: process.env['PATH'], ...etcd.env };
  const child = await spawnProcess(command, [...before, ...args], { env });
  await child.stderr.waitFor(/serving client traffic/);
  return `etcd://${address}:2379`;
}

describeWith(['etcd'], 'a lock server whose way to etcd is cut, and not that to its clients', () => {
  const problem = whyNoNetworks();
  if (problem) reportMissing(problem);

  test.runIf(!problem)('answers 503, costs its sessions nothing, and comes back by itself', async () => {
    // The server has no link but the one that is cut: its clients are beside it.
    const network = createNetwork();
    const [center, one, other] = ['etcd', 'one', 'other'].map((name) => network.addHost(name));
    if (!center || !one || !other) throw new Error('three hosts');
    const backend = await startEtcdOn(center);
    const start = (host: NetworkHost) =>
      startLockServer({ backend, ttlMs, via: host.via, address: `${host.address}:8080` });
    const [atOne, atOther] = await Promise.all([start(one), start(other)]);
    const session = { session_id: 'session-a', node_id: 'node-a', store_id: 'store' };
    const wish = { type: 'pull', resource_id: layer, session_id: 'session-a', node_id: 'node-a' };
    expect(await askFrom(one, 'POST', `${atOne.url}/sessions`, session)).toMatchObject({ status: 200 });
    const granted = await askFrom(one, 'POST', `${atOne.url}/lock`, wish);
    expect(granted).toMatchObject({ status: 200, body: { token: expect.any(Number) } });
    const { token } = granted.body as { token: number };
    const held = { held: [{ type: 'pull', resource_id: layer, token, offset: 1, total: 2 }] };

    one.cut();
    const away = () => askFrom(one, 'PUT', `${atOne.url}/sessions/session-a`, held);
    await expect.poll(away).toMatchObject({ status: 503, retryAfter: '1' });
    const elsewhere = () => askFrom(other, 'PUT', `${atOther.url}/sessions/session-a`, held);
    const standing = { status: 200, body: { granted: [{ resource_id: layer, token }] } };
    expect(await elsewhere()).toMatchObject(standing);
    await atOne.child.waitForStderr(/lost its place among the others/);
    expect(await elsewhere()).toMatchObject(standing);
    expect(await away()).toMatchObject({ status: 503, retryAfter: '1' });

    one.mend();
    await expect.poll(away).toMatchObject(standing);
  });
});
