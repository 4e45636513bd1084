import { describe, expect, it } from 'vitest';
import { deferred } from '../../src/core/abort.ts';
import { LayerpullError } from '../../src/core/errors.ts';
import { type RunLayerOptions, runLayer } from '../../src/hooks/layer.ts';
import type { LayerEvent } from '../../src/hooks/layer-events.ts';
import type { LayerDownload } from '../../src/hooks/layer-run.ts';
import { LockUnused } from '../../src/hooks/layer-unused.ts';
import { createSlots } from '../../src/orchestrator/pool.ts';
import { blobOf, piecesOf, type TestBlob } from '../support/blobs.ts';
import { createFakeBlobStore } from '../support/fake-blob-store.ts';
import { createFakeClock, settle } from '../support/fake-clock.ts';
import { createFakeSessionLocks, type FakeHold, fakeHold, fakePlace } from '../support/fake-session-locks.ts';

type RunOptions = Partial<Pick<RunLayerOptions, 'slots' | 'download' | 'callbacks'>>;

function setUp() {
  const store = createFakeBlobStore();
  const locks = createFakeSessionLocks();
  const clock = createFakeClock();
  const abort = new AbortController();
  const events: LayerEvent[] = [];
  const run = (blob: TestBlob, options: RunOptions = {}) =>
    runLayer(blob, {
      store,
      locks,
      clock,
      signal: abort.signal,
      download: ({ offset }) => piecesOf(blob.bytes, offset),
      onEvent: (event) => events.push(event),
      ...options,
    });
  return { store, locks, clock, abort, events, run };
}

const layer = blobOf('the bytes of one layer');
const other = blobOf('the bytes of another layer');

/** A download that waits until it is told to go on, then gives the bytes. */
function gated(blob: TestBlob) {
  const gate = deferred<void>();
  const download: LayerDownload = async function* ({ offset }) {
    await gate.promise;
    yield* piecesOf(blob.bytes, offset);
  };
  return { download, go: () => gate.resolve() };
}

describe('a layer that is in the store', () => {
  it('asks nobody and transfers nothing', async () => {
    const { run, store, locks } = setUp();
    store.blobs.set(layer.digest, layer.bytes);
    expect(await run(layer)).toMatchObject({ kind: 'present', bytes: 0 });
    expect(locks.asked).toEqual([]);
  });
});

describe('the callbacks of a layer', () => {
  it('decide before any lock request whether there is anything to do', async () => {
    const { run, locks, store } = setUp();
    const asked: unknown[] = [];
    const shouldSkip = async (...args: unknown[]) => asked.push(args) > 0;
    expect(await run(layer, { callbacks: { shouldSkip } })).toMatchObject({ kind: 'present', bytes: 0 });
    expect(asked).toEqual([['pull', layer.digest]]);
    expect([locks.asked, store.blobs.size]).toEqual([[], 0]);
  });

  it('hear how it ended: as it is present, downloaded or failed', async () => {
    const { run } = setUp();
    const told: unknown[] = [];
    const callbacks = {
      updateReferences: async (type: string, digest: string, result: { readonly success: boolean }) =>
        void told.push([type, digest, result]),
    };
    await run(layer, { callbacks });
    await run(layer, { callbacks });
    const error = new Error('no network');
    const download: LayerDownload = () => {
      throw error;
    };
    await expect(run(other, { callbacks, download })).rejects.toBe(error);
    expect(told).toEqual([
      ['pull', layer.digest, { success: true, outcome: 'downloaded', bytes: layer.size }],
      ['pull', layer.digest, { success: true, outcome: 'present', bytes: 0 }],
      ['pull', other.digest, { success: false, error }],
    ]);
  });
});

describe('a granted layer', () => {
  it('is downloaded, published and released as done', async () => {
    const { run, store, locks } = setUp();
    expect(await run(layer)).toMatchObject({ kind: 'downloaded', bytes: layer.size });
    expect(store.blobs.get(layer.digest)).toEqual(layer.bytes);
    expect(locks.released).toMatchObject([{ outcome: { success: true } }]);
  });

  it('goes on from what an earlier attempt left', async () => {
    const { run, store } = setUp();
    store.partials.set(layer.digest, layer.bytes.subarray(0, 10));
    expect(await run(layer)).toMatchObject({ kind: 'downloaded', bytes: layer.size - 10 });
  });

  it('starts once more from zero when what it inherited was wrong', async () => {
    const { run, store, locks } = setUp();
    store.partials.set(layer.digest, Buffer.from('rotten'));
    expect(await run(layer)).toMatchObject({ kind: 'downloaded' });
    expect(store.blobs.get(layer.digest)).toEqual(layer.bytes);
    expect(locks.asked).toHaveLength(1);
  });

  it('is skipped when the store got it between the look and the grant', async () => {
    const { run, store, locks } = setUp();
    const acquire = locks.acquire;
    locks.acquire = async (request, signal) => {
      store.blobs.set(layer.digest, layer.bytes);
      return await acquire(request, signal);
    };
    expect(await run(layer)).toMatchObject({ kind: 'skipped', bytes: 0 });
    expect(locks.released).toMatchObject([{ outcome: { success: true } }]);
  });

  it('that turns out wrong is released as a failure of the content and not published', async () => {
    const { run, store, locks } = setUp();
    const download = () => piecesOf(Buffer.alloc(layer.size, 'x'));
    await expect(run(layer, { download })).rejects.toMatchObject({ code: 'digest_mismatch' });
    expect(locks.released).toMatchObject([{ outcome: { success: false, class: 'content' } }]);
    expect(store.blobs.size).toBe(0);
    expect(store.openIngests.count).toBe(0);
  });

  it('whose registry fails is released as a failure of this node, and keeps its partial', async () => {
    const { run, store, locks } = setUp();
    const download: LayerDownload = async function* () {
      yield layer.bytes.subarray(0, 5);
      throw new LayerpullError('registry_unreachable', 'connection reset');
    };
    await expect(run(layer, { download })).rejects.toMatchObject({ code: 'registry_unreachable' });
    expect(locks.released).toMatchObject([{ outcome: { success: false, class: 'node' } }]);
    expect(store.partials.get(layer.digest)).toHaveLength(5);
  });

  it('is declined, not released, where its download cannot use it: who runs it hears so, and what came is kept', async () => {
    const { run, locks, store } = setUp();
    store.partials.set(layer.digest, layer.bytes.subarray(0, 5));
    const unused = new LockUnused('nobody reads');
    const told: unknown[] = [];
    const download: LayerDownload = () => {
      throw unused;
    };
    const updateReferences = async (_: string, __: string, result: unknown) => void told.push(result);
    await expect(run(layer, { download, callbacks: { updateReferences } })).rejects.toBe(unused);
    expect([locks.givenBack.length, locks.released, locks.held.now]).toEqual([1, [], 0]);
    expect(told).toEqual([{ success: false, error: unused }]);
    expect(store.partials.get(layer.digest)).toHaveLength(5);
  });

  it('is released as failed when the pull is aborted, and the reason of the abort is thrown', async () => {
    const { run, store, locks, abort } = setUp();
    const reason = new LayerpullError('interrupted', 'interrupted');
    const download: LayerDownload = async function* () {
      yield layer.bytes.subarray(0, 5);
      abort.abort(reason);
      yield layer.bytes.subarray(5);
    };
    await expect(run(layer, { download })).rejects.toBe(reason);
    expect(locks.released).toMatchObject([{ outcome: { success: false, class: 'node' } }]);
    expect(store.partials.get(layer.digest)).toHaveLength(5);
    expect(store.openIngests.count).toBe(0);
  });

  it('stops when its lock goes to somebody else, keeps the partial, and waits again', async () => {
    const { run, store, locks, events } = setUp();
    const hold: FakeHold = fakeHold(locks, { resourceId: layer.digest });
    const place = fakePlace(locks);
    locks.reply({ kind: 'granted', hold }, { kind: 'queued', place });
    const download: LayerDownload = async function* () {
      yield layer.bytes.subarray(0, 5);
      hold.revoke(new LayerpullError('lock_lost', 'revoked: no progress'));
      yield layer.bytes.subarray(5);
    };
    const running = run(layer, { download });
    await settle();
    expect(store.partials.get(layer.digest)).toHaveLength(5);
    store.blobs.set(layer.digest, layer.bytes);
    place.change({ kind: 'ended' });
    expect(await running).toMatchObject({ kind: 'skipped' });
    expect(events.map((event) => event.kind)).toEqual(['started', 'progress', 'revoked', 'waiting']);
    expect(locks.released).toEqual([]);
  });
});

describe('a layer that somebody finished', () => {
  it('is skipped when it is in the store', async () => {
    const { run, store, locks } = setUp();
    locks.acquire = async () => {
      store.blobs.set(layer.digest, layer.bytes);
      return { kind: 'skip' };
    };
    expect(await run(layer)).toMatchObject({ kind: 'skipped' });
  });

  it('is asked for by force when it has left the store since', async () => {
    const { run, locks } = setUp();
    locks.reply({ kind: 'skip' });
    expect(await run(layer)).toMatchObject({ kind: 'downloaded' });
    expect(locks.asked.map((request) => request.force)).toEqual([false, true]);
  });

  it('fails clearly when its content failed for others', async () => {
    const { run, locks } = setUp();
    locks.reply({ kind: 'refused', reason: 'content', message: 'wrong bytes' });
    await expect(run(layer)).rejects.toMatchObject({ code: 'content_refused', exitCode: 6 });
  });
});

describe('a layer that somebody else holds', () => {
  it('tells its place, then is skipped once the other finished', async () => {
    const { run, store, locks, events } = setUp();
    const place = fakePlace(locks, 'node-a', 2);
    locks.reply({ kind: 'queued', place });
    const running = run(layer);
    await settle();
    place.change({ kind: 'moved', position: 1 });
    await settle();
    store.blobs.set(layer.digest, layer.bytes);
    place.change({ kind: 'ended' });
    expect(await running).toMatchObject({ kind: 'skipped', by: 'node-a' });
    expect(events).toMatchObject([
      { kind: 'waiting', position: 2, holder: 'node-a' },
      { kind: 'waiting', position: 1 },
    ]);
  });

  it('gives its slot back while it waits, so that another layer downloads', async () => {
    const { run, store, locks } = setUp();
    const slots = createSlots(1);
    const place = fakePlace(locks);
    locks.reply({ kind: 'queued', place });
    const waiting = run(layer, { slots });
    expect(await run(other, { slots })).toMatchObject({ kind: 'downloaded' });
    store.blobs.set(layer.digest, layer.bytes);
    place.change({ kind: 'ended' });
    expect(await waiting).toMatchObject({ kind: 'skipped' });
  });

  it('downloads it when the lock is handed over', async () => {
    const { run, locks } = setUp();
    const place = fakePlace(locks);
    locks.reply({ kind: 'queued', place });
    const running = run(layer, { slots: createSlots(1) });
    await settle();
    place.change({ kind: 'granted', waiters: 0 });
    expect(await running).toMatchObject({ kind: 'downloaded' });
  });

  it('declines a grant for which no slot comes in time when others wait', async () => {
    const { run, locks, clock, store } = setUp();
    const slots = createSlots(1);
    const place = fakePlace(locks);
    locks.reply({ kind: 'queued', place });
    const waiting = run(layer, { slots });
    await settle();
    const busy = gated(other);
    const blocker = run(other, { slots, download: busy.download });
    await settle();
    place.change({ kind: 'granted', waiters: 3 });
    await clock.advance(locks.claimMs / 2);
    expect(locks.declined).toEqual([1]);
    store.blobs.set(layer.digest, layer.bytes);
    busy.go();
    await Promise.all([blocker, waiting]);
  });

  it('claims a grant without a slot when nobody else waits, and uses it when a slot comes', async () => {
    const { run, locks, clock } = setUp();
    const slots = createSlots(1);
    const place = fakePlace(locks);
    locks.reply({ kind: 'queued', place });
    const waiting = run(layer, { slots });
    await settle();
    const busy = gated(other);
    const blocker = run(other, { slots, download: busy.download });
    await settle();
    place.change({ kind: 'granted', waiters: 0 });
    await clock.advance(locks.claimMs / 2);
    expect(locks.asked.filter((request) => request.resourceId === layer.digest)).toHaveLength(2);
    busy.go();
    expect(await blocker).toMatchObject({ kind: 'downloaded' });
    expect(await waiting).toMatchObject({ kind: 'downloaded' });
  });

  it('downloads it without a lock when the holder is too slow, in a slot', async () => {
    const { run, locks } = setUp();
    const slots = createSlots(1);
    const place = fakePlace(locks);
    locks.reply({ kind: 'queued', place });
    const waiting = run(layer, { slots });
    await settle();
    const busy = gated(other);
    const blocker = run(other, { slots, download: busy.download });
    await settle();
    let ends = 0;
    const { token: _, ...hold } = fakeHold(locks, { resourceId: layer.digest });
    const release = async () => {
      ends += 1;
    };
    place.change({ kind: 'left', hold: { ...hold, release } });
    await settle();
    expect(ends).toBe(0);
    busy.go();
    expect(await blocker).toMatchObject({ kind: 'downloaded' });
    expect(await waiting).toMatchObject({ kind: 'downloaded', bytes: layer.size });
    expect(ends).toBe(1);
    expect(locks.asked.filter((request) => request.resourceId === layer.digest)).toHaveLength(1);
  });

  it('is skipped when the slow holder brought it after all before a slot was free', async () => {
    const { run, locks, store } = setUp();
    const place = fakePlace(locks);
    locks.reply({ kind: 'queued', place });
    const waiting = run(layer);
    await settle();
    store.blobs.set(layer.digest, layer.bytes);
    place.change({ kind: 'left', hold: fakeHold(locks, { resourceId: layer.digest }) });
    expect(await waiting).toMatchObject({ kind: 'skipped', bytes: 0 });
  });

  it('gives a grant back when the pull is aborted before it has a slot', async () => {
    const { run, locks, abort } = setUp();
    const slots = createSlots(1);
    const place = fakePlace(locks);
    locks.reply({ kind: 'queued', place });
    const waiting = run(layer, { slots });
    await settle();
    const blocker = run(other, { slots, download: gated(other).download });
    blocker.catch(() => {});
    await settle();
    place.change({ kind: 'granted', waiters: 0 });
    await settle();
    const reason = new LayerpullError('terminated', 'terminated');
    abort.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    expect(locks.declined).toEqual([1]);
  });

  it('stops waiting when the pull is aborted', async () => {
    const { run, locks, abort } = setUp();
    locks.reply({ kind: 'queued', place: fakePlace(locks) });
    const running = run(layer);
    await settle();
    const reason = new LayerpullError('terminated', 'terminated');
    abort.abort(reason);
    await expect(running).rejects.toBe(reason);
  });
});

describe('eight free layers and one slot', () => {
  it('are downloaded with at most one lock held at a time', async () => {
    const { run, locks } = setUp();
    const slots = createSlots(1);
    const blobs = Array.from({ length: 8 }, (_, index) => blobOf(`layer number ${index}`));
    const outcomes = await Promise.all(
      blobs.map((blob) => run(blob, { slots, download: ({ offset }) => piecesOf(blob.bytes, offset) })),
    );
    expect(outcomes.every((outcome) => outcome.kind === 'downloaded')).toBe(true);
    expect(locks.held.most).toBe(1);
  });
});
