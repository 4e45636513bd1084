import path from 'node:path';
import { expect, it } from 'vitest';
import { onCleanup } from '../support/cleanup.ts';
import { type CliChild, spawnCli } from '../support/cli.ts';
import { describeWith } from '../support/components.ts';
import { startGateProxy } from '../support/gate-proxy.ts';
import { pushImage } from '../support/images.ts';
import { startLiar } from '../support/liar.ts';
import { resultOf, startPull, startServer, verifyStore } from '../support/pulls.ts';
import { startRegistry } from '../support/real-registry.ts';
import { soon } from '../support/soon.ts';
import { tempDir } from '../support/temp.ts';

const layers = 2;

/** A registry with one image behind a gate, a lock server, and a peer that says it has all of it, and has none of it. */
async function setUp(count: number) {
  const nodes = Array.from({ length: count }, (_, at) => `node-${at + 1}`);
  const registry = await startRegistry();
  const image = await pushImage(registry, 'library/app', { layers: Array(layers).fill(4_000_000) });
  await registry.clearLog();
  const gate = await startGateProxy(registry);
  const { url: server } = await startServer();
  const blobs = [image.config, ...image.layers];
  const digests = [image.manifestDigest, ...blobs.map(({ digest }) => digest)];
  const liar = await startLiar({ lockUrl: server, digests });
  onCleanup(() => liar.close());
  const folder = tempDir();
  return {
    ...{ server, gate, liar, digests, nodes },
    reference: `${gate.host}/library/app:latest`,
    layers: image.layers.map(({ digest }) => digest),
    storeOf: (node: string) => path.join(folder, node),
    bytes: blobs.reduce((sum, { size }) => sum + size, 0),
    /** Bytes of all answers so far. */
    egress: async () => (await registry.accessLog()).reduce((sum, entry) => sum + entry.bytes, 0),
  };
}

type Fleet = Awaited<ReturnType<typeof setUp>>;

async function startAgents({ server, nodes, storeOf }: Fleet): Promise<void> {
  for (const node of nodes) {
    const args = ['agent', '--peer-addr', '127.0.0.1:0', '--store', storeOf(node), '--server', server];
    const agent = await spawnCli([...args, '--node', node]);
    await agent.stdout.waitFor(/http:\/\/127\.0\.0\.1:\d+/);
  }
}

/** Until every node has begun with every layer so often: the second time after it found the bytes of the first wrong. */
async function everyoneBegan(fleet: Fleet, pulls: readonly CliChild[], times: number): Promise<void> {
  await soon(async () => {
    for (const pull of pulls) {
      const begun = pull.jsonEvents().filter(({ kind }) => kind === 'downloading');
      for (const layer of fleet.layers) {
        expect(begun.filter(({ digest }) => digest === layer).length).toBeGreaterThanOrEqual(times);
      }
    }
  });
}

/** All read from the liar, at first or at second hand, before any of them can know. Answers the images that it cost. */
async function pullBehindLiar(fleet: Fleet, options: { readonly server?: string }): Promise<number> {
  const { gate, liar, nodes, storeOf, digests, reference } = fleet;
  // Neither stops, so that no node leaves them where the others start late.
  liar.crawl(500_000);
  gate.crawl(200_000);
  const more = ['--linger', '10s'];
  const pulls = await Promise.all(
    nodes.map((node) => startPull({ reference, node, store: storeOf(node), more, ...options })),
  );
  await everyoneBegan(fleet, pulls, 1);
  liar.open();
  await everyoneBegan(fleet, pulls, 2);
  gate.open();
  for (const pull of pulls) resultOf(await pull.result());
  for (const node of nodes) {
    expect(await verifyStore(storeOf(node))).toEqual(expect.arrayContaining(digests));
  }
  return (await fleet.egress()) / fleet.bytes;
}

describeWith(
  ['docker-registry'],
  'nodes with stores of their own beside a peer that gives wrong bytes',
  () => {
    it.each([2, 4, 6])(
      'have it all for two images of the registry at most, %i pulls at once',
      async (count) => {
        const fleet = await setUp(count);
        expect(await pullBehindLiar(fleet, { server: fleet.server })).toBeLessThanOrEqual(2.05);
      },
    );

    it('have it all for two images of the registry at most, through agents', async () => {
      const fleet = await setUp(4);
      await startAgents(fleet);
      expect(await pullBehindLiar(fleet, {})).toBeLessThanOrEqual(2.05);
    });
  },
);
