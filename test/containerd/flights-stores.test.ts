import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { createFlights } from '../../src/containerd/flights.ts';
import { systemClock } from '../../src/core/clock.ts';
import { toNodeId } from '../../src/core/ids.ts';
import { createMemoryLocks } from '../../src/lock/backends/memory.ts';
import type { Locks } from '../../src/lock/locks.ts';
import { openLockSession } from '../../src/lock/session.ts';
import { guided } from '../../src/peer/guided.ts';
import { createPeerHealth } from '../../src/peer/peer-health.ts';
import { createPeerServer } from '../../src/peer/server.ts';
import { openStore } from '../../src/store/oci-layout.ts';
import { collect, madeLayer, testPeers } from '../peer/support.ts';
import { onCleanup } from '../support/cleanup.ts';
import { createLineLog, openAtLast, writeRest, writerOf } from '../support/flights.ts';
import { soon } from '../support/soon.ts';
import { tempDir } from '../support/temp.ts';

const clock = systemClock;
const layer = madeLayer(3_000_000);
const pieceBytes = 100_000;
const half = 1_500_000;

function startLocks(): Locks {
  const locks = createMemoryLocks({ clock });
  onCleanup(() => locks.close());
  return locks;
}

/** A node with a store of its own, which serves it to the others. */
async function startNode(name: string, locks: Locks) {
  const { blobs, growing } = await openStore({ path: path.join(tempDir(), name), clock });
  const server = createPeerServer({ blobs: growing, clock });
  onCleanup(() => server.close());
  const { url } = await server.listen({ host: '127.0.0.1', port: 0 });
  const session = openLockSession({
    ...{ locks, clock, url, nodeId: toNodeId(name), storeId: blobs.storeId },
  });
  onCleanup(() => session.close());
  const { log, lines, messages } = createLineLog();
  const [peers, health] = [testPeers(), createPeerHealth(() => {})];
  const flights = createFlights({
    ...{ clock, log, store: blobs, locks: session },
    guided: (guide, registry) => guided({ guide, registry, peers, health, clock }),
    callbacks: { updateReferences: async (_, digest) => session.announce([digest], []) },
  });
  onCleanup(() => flights.close());
  /** Asks as containerd does. */
  const ask = async () => await openAtLast(flights, layer, async () => await clock.sleep(20));
  const bytes = async () => await collect(await blobs.open(layer.digest));
  const sources = () => lines.filter(({ message }) => message === 'source').map(({ source }) => source);
  return { url, flights, ask, bytes, lines, messages, sources };
}

describe('two nodes with a store each', () => {
  it('take a blob from the registry once: the other copies what containerd writes, as it is written', async () => {
    const locks = startLocks();
    const [a, b] = [await startNode('node-a', locks), await startNode('node-b', locks)];
    const writer = writerOf(await a.ask());
    for (let at = 0; at < half; at += pieceBytes)
      await writer.write(layer.bytes.subarray(at, at + pieceBytes));
    const copied = b.ask();
    await soon(async () => expect(b.sources()).toEqual([a.url]));
    for (let at = half; at < layer.size; at += pieceBytes)
      await writer.write(layer.bytes.subarray(at, at + pieceBytes));
    await writer.commit();
    expect(await copied).toEqual({ kind: 'present' });
    expect((await b.bytes()).equals(layer.bytes)).toBe(true);
    expect(b.sources()).toEqual([a.url]);
    expect(b.lines.find(({ message }) => message === 'lock granted')).toMatchObject({ peer: 'node-a' });
    expect(b.messages().slice(-3)).toEqual(['published', 'released', 'reference updated']);
  });

  it('go on from the byte reached where the first is left in the middle by containerd', async () => {
    const locks = startLocks();
    const [a, b] = [await startNode('node-a', locks), await startNode('node-b', locks)];
    const first = writerOf(await a.ask());
    for (let at = 0; at < half; at += pieceBytes)
      await first.write(layer.bytes.subarray(at, at + pieceBytes));
    const asked = b.ask();
    await soon(async () => {
      const [view] = (await locks.list({})).filter(({ holder }) => holder?.nodeId === 'node-b');
      expect(view?.holder?.offset).toBe(half);
    });
    await first.close('was closed');
    const second = writerOf(await asked);
    expect(second.offset).toBe(half);
    await writeRest(second, layer, pieceBytes);
    await second.commit();
    expect((await b.bytes()).equals(layer.bytes)).toBe(true);
    expect(b.sources().at(-1)).toBe('registry through containerd');
    expect(await a.ask()).toEqual({ kind: 'present' });
    expect((await a.bytes()).equals(layer.bytes)).toBe(true);
    expect(a.sources().at(-1)).toBe(b.url);
  });
});
