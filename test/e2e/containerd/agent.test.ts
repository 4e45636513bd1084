import path from 'node:path';
import { expect, test } from 'vitest';
import { startAgent } from '../../support/agents.ts';
import { startContainerd } from '../../support/containerd.ts';
import { openStage } from '../../support/containerd-stage.ts';
import { describeContainers } from '../../support/containers.ts';
import { pushImage } from '../../support/images.ts';
import { logLines } from '../../support/log-lines.ts';
import { startRegistry } from '../../support/real-registry.ts';
import { tempDir } from '../../support/temp.ts';
import { blobsOf, expectReadOnce, expectRuns } from './facts.ts';

describeContainers('containerd on the node of an agent', () => {
  test('has its content from the agent, which reads from the agents of other nodes', async () => {
    const registry = await startRegistry();
    const image = await pushImage(registry, 'library/busybox', { busybox: true, layers: [200_000] });
    const { server } = await openStage('agents');
    const nodes = await Promise.all(['node-a', 'node-b'].map((name) => startNode(name, server.url)));
    for (const { containerd } of nodes) await containerd.pull(image.reference);
    for (const digest of blobsOf(image)) {
      await nodes[0]?.log.waitFor('source', { digest, source: 'registry through containerd' });
      await nodes[1]?.log.waitFor('source', { digest, peer: 'node-a' });
    }
    await expectReadOnce(registry, image);
    for (const { name, containerd } of nodes) {
      expect(await containerd.run(image.reference, '/bin/echo', `printed on ${name}`)).toContain(name);
    }
  });

  test('has its content from a plugin of its own, which asks the agent and not the lock server', async () => {
    const registry = await startRegistry();
    const image = await pushImage(registry, 'library/busybox', { busybox: true, layers: [200_000] });
    const { server, serverLog, addNode } = await openStage('plugin beside an agent');
    const store = path.join(tempDir(), 'store');
    await startAgent({ store, server: server.url, node: 'agent-a' });
    const node = await addNode('node-a', { store });
    await node.plugin().log.waitFor('content plugin started', { by: 'agent' });
    await node.containerd.pull(image.reference);
    for (const resource of blobsOf(image)) {
      await serverLog.waitFor('lock released', { resource, node: 'agent-a', success: true });
    }
    expect(serverLog.all().filter((line) => line['node'] === 'node-a')).toEqual([]);
    await expectRuns(node, image);
  });
});

async function startNode(name: string, server: string) {
  const [store, contentSocket] = [path.join(tempDir(), 'store'), path.join(tempDir(), 'content.sock')];
  const more = ['--content-socket', contentSocket];
  const { child } = await startAgent({ store, server, node: name, more });
  await child.stdout.waitFor(/content\.sock\n/);
  return { name, log: logLines(child.stderr), containerd: await startContainerd({ contentSocket }) };
}
