import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import type { Digest } from '../../src/core/digest.ts';
import { toNodeId, toSessionId } from '../../src/core/ids.ts';
import type { Source } from '../../src/lock/locks.ts';
import type { PullEvent, PullResult } from '../../src/orchestrator/events.ts';
import type { PeerReading } from '../../src/orchestrator/peers.ts';
import { pullImage } from '../../src/orchestrator/pull.ts';
import { parseReference } from '../../src/registry/reference.ts';
import { openStore, type Store } from '../../src/store/oci-layout.ts';
import { amd64, createRig, type Rig } from '../registry/support.ts';
import { createFakeSessionLocks, fakeHold } from '../support/fake-session-locks.ts';
import { tempDir } from '../support/temp.ts';

const signal = new AbortController().signal;

interface Peer {
  readonly source: Extract<Source, { kind: 'peer' }>;
  readonly store: Store;
}

async function peerNamed(node: string): Promise<Peer> {
  const sessionId = toSessionId(`session-${node}`);
  const url = `http://${node}:7041`;
  return {
    source: { kind: 'peer', url, nodeId: toNodeId(node), sessionId, complete: true },
    store: await openStore({ path: tempDir(), clock: systemClock }),
  };
}

/** Reads from the peer's store, and goes to the registry after `breakAfter` bytes. */
function readingFrom(peer: Peer, breakAfter = Number.POSITIVE_INFINITY): PeerReading {
  return {
    guided: (guide, registry) => ({
      url: registry.url,
      async *open(blob, request) {
        if (guide.source.kind !== 'peer') return yield* registry.open(blob, request);
        const { url, sessionId } = guide.source;
        const start = request.offset ?? 0;
        request.onSource?.({ url, offset: start });
        const end = Math.min(blob.size, start + breakAfter);
        if (end > start) yield* await peer.store.blobs.open(blob.digest, { start, end: end - 1 });
        if (end === blob.size) return;
        const bad = { sessionId, reason: 'fell silent' };
        const next = await guide.next({ offset: end, bad }, request.signal);
        if (next.kind !== 'registry') throw new Error('there is no other peer');
        yield* registry.open(blob, { ...request, offset: end });
      },
    }),
  };
}

interface Pulled {
  readonly result: PullResult;
  readonly events: readonly PullEvent[];
  readonly stored: readonly Digest[];
}

async function pull(
  rig: Rig,
  reference: string,
  store: Store,
  peer?: Peer,
  reading?: PeerReading,
): Promise<Pulled> {
  const locks = createFakeSessionLocks();
  const grantFrom = (source: Source) => ({
    ...locks,
    acquire: async (request: Parameters<typeof locks.acquire>[0], within: AbortSignal) => {
      const hold = fakeHold(locks, request);
      locks.reply({ kind: 'granted', hold: { ...hold, source, guide: { ...hold.guide, source } } });
      return await locks.acquire(request, within);
    },
  });
  const events: PullEvent[] = [];
  const stored: Digest[] = [];
  const image = await rig.client.resolve(parseReference(reference), { platform: amd64 }, signal);
  const result = await pullImage(
    { name: reference, image, startedMs: systemClock.now() },
    {
      ...{ registry: rig.client, store, clock: systemClock, node: toNodeId('here'), concurrency: 3 },
      locks: peer ? grantFrom(peer.source) : locks,
      onEvent: (event) => events.push(event),
      onStored: (digest) => stored.push(digest),
      peers: reading,
    },
    signal,
  );
  return { result, events, stored };
}

describe('a pull beside a node that has the image', () => {
  it('copies every blob, reads none from the registry, and says from whom', async () => {
    const rig = await createRig();
    const made = rig.fake.addImage({ layers: [3_000, 500] });
    const peer = await peerNamed('node-b');
    await pull(rig, made.reference, peer.store);
    const before = rig.fake.bytesSent();
    const store = await openStore({ path: tempDir(), clock: systemClock });
    const { result, events, stored } = await pull(rig, made.reference, store, peer, readingFrom(peer));
    const total = made.config.size + 3_500;
    expect(result).toMatchObject({
      bytesFromRegistry: 0,
      bytesFromPeers: total,
      bytesSpared: total,
      bytesSaved: 0,
    });
    for (const layer of result.layers) {
      expect(layer).toMatchObject({
        outcome: 'copied',
        source: { kind: 'peer', url: 'http://node-b:7041', node: 'node-b' },
        bytesFromPeers: layer.size,
      });
    }
    expect(rig.fake.bytesSent() - before).toBe(made.manifest.size);
    expect(new Set(stored)).toEqual(new Set(result.layers.map(({ digest }) => digest)));
    const begun = events.flatMap((event) => (event.kind === 'downloading' ? [event.source] : []));
    expect(begun).toHaveLength(3);
    expect(begun.every(({ node }) => node === 'node-b')).toBe(true);
    expect(await store.images.list()).toHaveLength(1);
  });

  it('goes on at the registry where the peer stops, and counts both', async () => {
    const rig = await createRig();
    const made = rig.fake.addImage({ layers: [3_000] });
    const peer = await peerNamed('node-b');
    await pull(rig, made.reference, peer.store);
    const store = await openStore({ path: tempDir(), clock: systemClock });
    const { result, events } = await pull(rig, made.reference, store, peer, readingFrom(peer, 1_000));
    const layer = result.layers.find(({ size }) => size === 3_000);
    expect(layer).toMatchObject({
      outcome: 'downloaded',
      source: { kind: 'registry', url: rig.fake.url },
      sources: [
        { kind: 'peer', url: 'http://node-b:7041', node: 'node-b', bytes: 1_000 },
        { kind: 'registry', url: rig.fake.url, bytes: 2_000 },
      ],
      bytes: 3_000,
      bytesFromPeers: 1_000,
    });
    const config = made.config.size;
    expect(result).toMatchObject({
      bytesFromRegistry: 2_000,
      bytesFromPeers: 1_000 + config,
      bytesSpared: 1_000 + config,
    });
    expect(events.find(({ kind }) => kind === 'switched')).toMatchObject({
      offset: 1_000,
      source: { kind: 'registry' },
    });
  });
});
