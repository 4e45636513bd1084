import path from 'node:path';
import { expect, it } from 'vitest';
import { describeWith } from '../support/components.ts';
import { startGateProxy } from '../support/gate-proxy.ts';
import { pushImage } from '../support/images.ts';
import { patientPull, patientServer } from '../support/patient.ts';
import { freeAddress } from '../support/ports.ts';
import {
  downloadsByDigest,
  type PullArgs,
  resultOf,
  startPull,
  startServer,
  verifyStore,
} from '../support/pulls.ts';
import { startRegistry } from '../support/real-registry.ts';
import { skopeo } from '../support/skopeo.ts';
import { tempDir } from '../support/temp.ts';

const lasting = ['--ephemeral', ...patientServer];

/** A registry with one image, and a gate before it. */
async function setUp() {
  const registry = await startRegistry();
  const image = await pushImage(registry, 'library/busybox:latest', {
    busybox: true,
    layers: [300_000, 400_000, 500_000],
  });
  await registry.clearLog();
  const gate = await startGateProxy(registry);
  const reference = `${gate.host}/library/busybox:latest`;
  const digests = [image.config, ...image.layers].map((blob) => blob.digest);
  return { registry, image, gate, reference, digests, store: path.join(tempDir(), 'store') };
}

async function pullTogether(args: PullArgs, nodes: readonly string[]) {
  const start = (node: string) => startPull({ ...args, node, more: patientPull });
  const children = await Promise.all(nodes.map(start));
  const runs = await Promise.all(children.map((child) => child.result()));
  return runs.map(resultOf);
}

describeWith(['docker-registry', 'skopeo'], 'pulls of one image on one store', () => {
  it('take each blob from the registry once with a lock server', async () => {
    const { registry, reference, store, digests } = await setUp();
    const { url: server } = await startServer('127.0.0.1:0', lasting);
    const results = await pullTogether({ reference, store, server }, ['node-a', 'node-b']);
    expect([...downloadsByDigest(results).values()]).toEqual(digests.map(() => 1));
    for (const digest of digests) expect(await registry.blobGets(digest)).toBe(1);
    expect(await skopeo('inspect', `oci:${store}:${reference}`)).toContain('"Architecture": "amd64"');
    await verifyStore(store);
  });

  it.each([2, 5])('take each blob from the registry once without a server, %i at a time', async (count) => {
    const { registry, reference, digests } = await setUp();
    const store = path.join(tempDir(), 'a-long-way'.repeat(20)).slice(0, 200);
    const nodes = Array.from({ length: count }, (_, index) => `node-${index + 1}`);
    const results = await pullTogether({ reference, store }, nodes);
    expect([...downloadsByDigest(results).values()]).toEqual(digests.map(() => 1));
    for (const digest of digests) expect(await registry.blobGets(digest)).toBe(1);
    await verifyStore(store);
  });

  it('go on when the process that coordinates them is killed in the middle of a download', async () => {
    const { registry, gate, reference, store, digests } = await setUp();
    gate.shut(1_000);
    const more = [...patientPull, '--concurrency', '2'];
    const first = await startPull({ reference, store, node: 'node-1', more });
    await gate.waiting(2);
    const held = first
      .jsonEvents()
      .filter((event) => event.kind === 'downloading')
      .map((event) => event['digest']);
    const others = await Promise.all(
      ['node-2', 'node-3'].map((node) => startPull({ reference, store, node, more })),
    );
    await Promise.all(others.map((child) => child.nextJsonEvent('waiting')));
    first.kill('SIGKILL');
    await first.exited;
    gate.open();
    const results = (await Promise.all(others.map((child) => child.result()))).map(resultOf);
    expect(Math.max(...downloadsByDigest(results).values())).toBe(1);
    for (const digest of digests) {
      expect(await registry.blobGets(digest)).toBeLessThanOrEqual(held.includes(digest) ? 2 : 1);
    }
    await verifyStore(store);
  });

  it('hand a layer over when the node that downloads it is killed', async () => {
    const { gate, reference, store, digests } = await setUp();
    const { url: server, child } = await startServer('127.0.0.1:0', lasting);
    gate.shut(1_000);
    const first = await startPull({ reference, store, server, node: 'node-a', more: patientPull });
    await gate.waiting(3);
    const second = await startPull({ reference, store, server, node: 'node-b', more: patientPull });
    await second.nextJsonEvent('waiting', (event) => event['holder'] === 'node-a');
    first.kill('SIGKILL');
    await first.exited;
    gate.open();
    const result = resultOf(await second.result());
    expect(result.layers.every((layer) => layer.outcome !== 'copied')).toBe(true);
    expect(await verifyStore(store)).toEqual(expect.arrayContaining(digests));
    expect(child.stderr.text()).toMatch(/reclaimed/);
  });

  it('go on after the lock server was restarted, each blob from the registry once', async () => {
    const { registry, gate, reference, store, digests } = await setUp();
    const address = await freeAddress();
    const { url: server, child } = await startServer(address, lasting);
    gate.shut(1_000);
    const first = await startPull({ reference, store, server, node: 'node-a', more: patientPull });
    await gate.waiting(3);
    const second = await startPull({ reference, store, server, node: 'node-b', more: patientPull });
    await second.nextJsonEvent('waiting');
    child.kill('SIGKILL');
    await child.exited;
    await startServer(address, lasting);
    gate.open();
    const results = (await Promise.all([first.result(), second.result()])).map(resultOf);
    expect(Math.max(...downloadsByDigest(results).values())).toBe(1);
    for (const digest of digests) expect(await registry.blobGets(digest)).toBe(1);
  });

  it('download the second layer while the first is held elsewhere, with one slot', async () => {
    const { gate, reference, store } = await setUp();
    gate.shut(1_000);
    const one = [...patientPull, '--concurrency', '1'];
    const first = await startPull({ reference, store, node: 'node-a', more: one });
    await gate.waiting(1);
    const second = await startPull({ reference, store, node: 'node-b', more: one });
    await second.nextJsonEvent('waiting');
    await second.nextJsonEvent('downloading');
    gate.open();
    resultOf(await first.result());
    resultOf(await second.result());
  });
});
