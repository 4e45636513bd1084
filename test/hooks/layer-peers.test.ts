import { describe, expect, it } from 'vitest';
import { toNodeId, toSessionId } from '../../src/core/ids.ts';
import { runLayer } from '../../src/hooks/layer.ts';
import type { LayerEvent } from '../../src/hooks/layer-events.ts';
import type { LayerDownload } from '../../src/hooks/layer-run.ts';
import type { Source, SourceGuide } from '../../src/lock/locks.ts';
import { blobOf, piecesOf } from '../support/blobs.ts';
import { createFakeBlobStore } from '../support/fake-blob-store.ts';
import { createFakeSessionLocks, fakeHold } from '../support/fake-session-locks.ts';
import { failure } from '../support/scripted-sources.ts';

const layer = blobOf('the bytes of one layer');
const wrongBytes = Buffer.from(layer.bytes.map((byte) => byte ^ 0xff));
const registry = 'http://registry';

function peerAt(node: string, complete = true): Extract<Source, { kind: 'peer' }> {
  return {
    kind: 'peer',
    url: `http://${node}:7041`,
    nodeId: toNodeId(node),
    sessionId: toSessionId(`session-${node}`),
    complete,
  };
}

/** A hold that names these sources in turn, then the registry. */
function setUp(...named: Source[]) {
  const [source = { kind: 'registry' }, ...rest] = named;
  const locks = createFakeSessionLocks();
  const guide: SourceGuide = {
    source,
    onMove: () => () => {},
    next: async () => rest.shift() ?? { kind: 'registry' },
  };
  locks.reply({ kind: 'granted', hold: { ...fakeHold(locks, { resourceId: layer.digest }), source, guide } });
  const store = createFakeBlobStore();
  const events: LayerEvent[] = [];
  const run = (download: LayerDownload) =>
    runLayer(layer, {
      ...{ store, locks, download, signal: new AbortController().signal },
      onEvent: (event) => events.push(event),
    });
  return { run, events, store, locks };
}

describe('a layer that other nodes have', () => {
  it('is copied when all of its bytes came from peers', async () => {
    const { run, events } = setUp(peerAt('b'), peerAt('c'));
    const outcome = await run(async function* ({ guide, onSource, signal }) {
      onSource({ url: 'http://b:7041', offset: 0 });
      yield layer.bytes.subarray(0, 5);
      const next = await guide.next({ offset: 5 }, signal);
      if (next.kind === 'peer') onSource({ url: `${next.url}/`, offset: 5, reason: 'b left' });
      yield layer.bytes.subarray(5);
    });
    expect(outcome).toMatchObject({
      kind: 'copied',
      bytes: layer.size,
      bytesFromPeers: layer.size,
      givers: [
        { kind: 'peer', url: 'http://b:7041', node: 'b', bytes: 5 },
        { kind: 'peer', url: 'http://c:7041', node: 'c', bytes: layer.size - 5 },
      ],
    });
    expect(events.flatMap((event) => (event.kind === 'source' ? [event.peer] : []))).toEqual(['b', 'c']);
  });

  it('is downloaded as soon as the registry gave a part of it', async () => {
    const { run } = setUp(peerAt('b'));
    const outcome = await run(async function* ({ onSource }) {
      onSource({ url: 'http://b:7041', offset: 0 });
      yield layer.bytes.subarray(0, 5);
      onSource({ url: registry, offset: 5, reason: 'b fell silent' });
      yield layer.bytes.subarray(5);
    });
    expect(outcome).toMatchObject({ kind: 'downloaded', bytes: layer.size, bytesFromPeers: 5 });
    expect(outcome.givers.map(({ kind }) => kind)).toEqual(['peer', 'registry']);
  });

  it('believes no address to be that of a peer that the lock server did not name', async () => {
    const { run, events } = setUp({ kind: 'registry' });
    const outcome = await run(async function* ({ onSource }) {
      onSource({ url: 'http://b:7041', offset: 0 });
      yield* piecesOf(layer.bytes);
    });
    expect(outcome).toMatchObject({ kind: 'downloaded', bytesFromPeers: 0 });
    expect(events.find(({ kind }) => kind === 'source')).not.toHaveProperty('peer');
  });

  it('knows a peer that the lock server names unasked', async () => {
    const { run } = setUp();
    const moved = peerAt('d');
    const locks = createFakeSessionLocks();
    const hold = fakeHold(locks, { resourceId: layer.digest });
    const guide: SourceGuide = {
      ...hold.guide,
      onMove: (listener) => {
        listener(moved);
        return () => {};
      },
    };
    locks.reply({ kind: 'granted', hold: { ...hold, guide } });
    const outcome = await runLayer(layer, {
      ...{ locks, store: createFakeBlobStore(), signal: new AbortController().signal },
      download: async function* (context) {
        let url = registry;
        context.guide.onMove((source) => {
          if (source.kind === 'peer') url = source.url;
        })();
        context.onSource({ url, offset: 0 });
        yield layer.bytes;
      },
    });
    expect(outcome.kind).toBe('copied');
    expect((await run(() => piecesOf(layer.bytes))).kind).toBe('downloaded');
  });

  it('starts over from elsewhere when a peer gave wrong bytes, and lays them to its door', async () => {
    const { run } = setUp(peerAt('b'));
    const standings: string[] = [];
    const outcome = await run(async function* ({ standing, onSource }) {
      standings.push(standing('http://b:7041').kind);
      const isFirst = standings.length === 1;
      onSource({ url: isFirst ? 'http://b:7041' : registry, offset: 0 });
      yield isFirst ? wrongBytes : layer.bytes;
    });
    expect(standings).toEqual(['good', 'wrong']);
    expect(outcome).toMatchObject({
      kind: 'downloaded',
      bytes: 2 * layer.size,
      bytesFromPeers: layer.size,
      givers: [{ kind: 'registry', url: registry, bytes: layer.size }],
    });
  });

  it('never proves a node wrong that only hands on what it is downloading', async () => {
    const { run } = setUp(peerAt('b', false));
    const seen: unknown[] = [];
    await run(async function* ({ standing, restarts, onSource }) {
      seen.push([standing('http://b:7041').kind, restarts]);
      const isFirst = seen.length === 1;
      onSource({ url: isFirst ? 'http://b:7041' : registry, offset: 0 });
      yield isFirst ? wrongBytes : layer.bytes;
    });
    expect(seen).toEqual([
      ['good', 0],
      ['good', 1],
    ]);
  });

  it('fails for this node alone when only peers gave wrong bytes', async () => {
    const { run, locks } = setUp(peerAt('b'));
    const download: LayerDownload = async function* ({ standing, onSource }) {
      const seen = standing('http://b:7041');
      if (seen.kind === 'wrong') throw seen.error;
      onSource({ url: 'http://b:7041', offset: 0 });
      yield wrongBytes;
    };
    await expect(run(download)).rejects.toMatchObject({ code: 'digest_mismatch' });
    expect(locks.released).toMatchObject([{ outcome: { success: false, class: 'node' } }]);
  });

  it('fails for all when the registry gave wrong bytes', async () => {
    const { run, locks } = setUp({ kind: 'registry' });
    const download: LayerDownload = async function* ({ onSource, standing }) {
      if (standing(registry).kind === 'wrong') throw failure('registry', 'digest_mismatch');
      onSource({ url: registry, offset: 0 });
      yield wrongBytes;
    };
    await expect(run(download)).rejects.toMatchObject({ code: 'digest_mismatch' });
    expect(locks.released).toMatchObject([{ outcome: { success: false, class: 'content' } }]);
  });
});
