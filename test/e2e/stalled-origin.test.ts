import path from 'node:path';
import { expect, it } from 'vitest';
import type { CliChild } from '../support/cli.ts';
import { describeWith } from '../support/components.ts';
import { startGateProxy } from '../support/gate-proxy.ts';
import { pushImage } from '../support/images.ts';
import { patientPull } from '../support/patient.ts';
import { resultOf, startPull, startServer, verifyStore } from '../support/pulls.ts';
import { startRegistry } from '../support/real-registry.ts';
import { soon } from '../support/soon.ts';
import { tempDir } from '../support/temp.ts';

const layerBytes = 3_000_000;
const passedBytes = 200_000;

/** A registry, two ways to it of which one can be shut, and a lock server that waits six seconds for a byte. */
async function setUp() {
  const registry = await startRegistry();
  const image = await pushImage(registry, 'library/app:latest', { layers: [layerBytes] });
  const [layer] = image.layers;
  if (!layer) throw new Error('the image has no layer');
  await registry.clearLog();
  const gate = await startGateProxy(registry);
  gate.shut(passedBytes);
  const { url: server } = await startServer('127.0.0.1:0', ['--ephemeral', '--stall-timeout', '6s']);
  const startNode = async (node: string, host: string, store: string) =>
    await startPull({ reference: `${host}/library/app:latest`, node, server, store, more: patientPull });
  return { registry, gate, layer: layer.digest, startNode, stores: tempDir() };
}

const eventsOf = (pull: CliChild, kind: string, digest: string) =>
  pull.jsonEvents().filter((event) => event['kind'] === kind && event['digest'] === digest);

async function reached(pull: CliChild, digest: string, bytes: number): Promise<void> {
  await soon(async () => {
    const offsets = eventsOf(pull, 'progress', digest).map((event) => Number(event['offset']));
    expect(Math.max(0, ...offsets)).toBeGreaterThanOrEqual(bytes);
  });
}

describeWith(['docker-registry'], 'a node whose connection to the registry stands still', () => {
  it('gives way to the node of another store that reads from it, and gets the rest from there', async () => {
    const { registry, gate, layer, startNode, stores } = await setUp();
    const [storeA, storeB] = [path.join(stores, 'a'), path.join(stores, 'b')];
    const stuck = await startNode('node-a', gate.host, storeA);
    await gate.waiting(1);
    const free = await startNode('node-b', registry.host, storeB);
    // All that the first one has.
    await reached(free, layer, passedBytes / 2);
    const results = [resultOf(await stuck.result()), resultOf(await free.result())];
    for (const store of [storeA, storeB]) expect(await verifyStore(store)).toContain(layer);
    const [a, b] = results.map((result) => result.layers.find(({ digest }) => digest === layer));
    // The gate never opened: what it lets pass is all that the first one has of the registry.
    expect(a?.sources?.map(({ kind }) => kind)).toEqual(['registry', 'peer']);
    expect(b?.sources?.map(({ kind }) => kind)).toEqual(['peer', 'registry']);
    const [ofA = 0, ofB = 0] = [a, b].map(
      (one) => one?.sources?.find(({ kind }) => kind === 'registry')?.bytes,
    );
    expect(ofA).toBeLessThanOrEqual(passedBytes);
    expect(ofA + ofB).toBeLessThanOrEqual(Number(a?.size) + passedBytes / 2);
    const sent = (await registry.accessLog()).filter((entry) => entry.path.endsWith(layer));
    expect(sent.map(({ method, status }) => `${method} ${status}`)).toEqual(['GET 200', 'GET 206']);
    expect(sent[1]?.bytes).toBe(ofB);
    for (const [pull, kind] of [
      [stuck, 'peer'],
      [free, 'registry'],
    ] as const) {
      expect(eventsOf(pull, 'switched', layer)).toEqual([
        expect.objectContaining({
          ...{ source: expect.objectContaining({ kind }), message: 'the lock server names another source' },
        }),
      ]);
    }
  });

  it('loses its lock to the one that waits in its own store, which goes on with what is there', async () => {
    const { registry, gate, layer, startNode, stores } = await setUp();
    const stuck = await startNode('node-a', gate.host, stores);
    await gate.waiting(1);
    const free = await startNode('node-b', registry.host, stores);
    const results = [resultOf(await stuck.result()), resultOf(await free.result())];
    expect(await verifyStore(stores)).toContain(layer);
    const [a, b] = results.map((result) => result.layers.find(({ digest }) => digest === layer));
    expect([a?.outcome, b?.outcome]).toEqual(['skipped', 'downloaded']);
    expect(b?.bytes).toBeLessThanOrEqual(Number(b?.size) - passedBytes / 2);
    const sent = (await registry.accessLog()).filter((entry) => entry.path.endsWith(layer));
    expect(sent.map(({ method, status }) => `${method} ${status}`)).toEqual(['GET 200', 'GET 206']);
    expect(sent[1]?.bytes).toBe(b?.bytes);
    expect(eventsOf(stuck, 'retrying', layer)).toEqual([
      expect.objectContaining({ message: `the lock on ${layer} is lost: no progress for 6 s` }),
    ]);
  });
});
