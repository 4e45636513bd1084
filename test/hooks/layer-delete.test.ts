import { describe, expect, it } from 'vitest';
import type { Digest } from '../../src/core/digest.ts';
import { LayerpullError } from '../../src/core/errors.ts';
import type { LayerCallbacks } from '../../src/hooks/layer-callbacks.ts';
import { deleteLayer } from '../../src/hooks/layer-delete.ts';
import type { Reference } from '../../src/store/references.ts';
import { blobOf } from '../support/blobs.ts';
import { createFakeBlobStore } from '../support/fake-blob-store.ts';
import { createFakeSessionLocks, fakeHold, fakePlace } from '../support/fake-session-locks.ts';

const layer = blobOf('the bytes of one layer');
const reference: Reference = { kind: 'image', name: 'docker.io/library/a:1', platform: 'linux/amd64' };

function setUp() {
  const store = createFakeBlobStore();
  store.blobs.set(layer.digest, layer.bytes);
  const locks = createFakeSessionLocks();
  const abort = new AbortController();
  const needed = new Set<Digest>();
  const unreadable: { message: string; hint: string }[] = [];
  const references = {
    read: async () => ({ of: (digest: Digest) => (needed.has(digest) ? [reference] : []), unreadable }),
  };
  const run = (callbacks: Partial<LayerCallbacks> = {}) =>
    deleteLayer(layer, { locks, store, references, signal: abort.signal, callbacks });
  return { store, locks, abort, needed, unreadable, run };
}

describe('a blob that is to be deleted', () => {
  it('is removed under a lock of its own type, which is released as done', async () => {
    const { run, store, locks } = setUp();
    expect(await run()).toEqual({ kind: 'deleted', bytes: layer.size });
    expect(store.blobs.size).toBe(0);
    expect(locks.asked).toMatchObject([{ type: 'delete', resourceId: layer.digest }]);
    expect(locks.released).toMatchObject([{ outcome: { success: true } }]);
  });

  it('asks nobody while somebody needs it, or while that cannot be told', async () => {
    for (const block of ['needed', 'unreadable'] as const) {
      const { run, locks, needed, unreadable, store } = setUp();
      if (block === 'needed') needed.add(layer.digest);
      else unreadable.push({ message: 'damaged', hint: 'mend it' });
      expect(await run()).toEqual({ kind: 'referenced', bytes: 0 });
      expect(locks.asked).toEqual([]);
      expect(store.blobs.size).toBe(1);
    }
  });

  it('stays when somebody came to need it before the grant, and the lock goes on to the next', async () => {
    const { run, store, locks } = setUp();
    store.referenced.add(layer.digest);
    expect(await run()).toEqual({ kind: 'referenced', bytes: 0 });
    expect(locks.released).toMatchObject([{ outcome: { success: false, class: 'node' } }]);
  });

  it('is nothing to do when another removed it', async () => {
    const waiting = setUp();
    waiting.locks.reply({ kind: 'skip' });
    expect(await waiting.run()).toEqual({ kind: 'absent', bytes: 0 });
    const late = setUp();
    late.store.blobs.clear();
    expect(await late.run()).toEqual({ kind: 'absent', bytes: 0 });
    // Whatever the lock service remembers of a pull of it is over.
    expect(late.locks.released).toMatchObject([{ outcome: { success: true } }]);
  });

  it('waits for its turn, and asks again when the wait is over', async () => {
    const { run, locks } = setUp();
    const place = fakePlace(locks);
    locks.reply({ kind: 'queued', place });
    place.change({ kind: 'moved', position: 1 });
    place.change({ kind: 'ended' });
    expect(await run()).toMatchObject({ kind: 'deleted' });
    expect(locks.asked).toHaveLength(2);
  });

  it('stays when the lock is lost before it is moved, and is tried again under a new one', async () => {
    const { run, locks, store } = setUp();
    const hold = fakeHold(locks, { resourceId: layer.digest });
    hold.revoke(new LayerpullError('lock_lost', 'lost'));
    locks.reply({ kind: 'granted', hold });
    expect(await run()).toMatchObject({ kind: 'deleted' });
    expect(locks.asked).toHaveLength(2);
    expect(store.blobs.size).toBe(0);
  });

  it('stays when every lock is lost', async () => {
    const { run, locks, store } = setUp();
    for (let round = 0; round < 10; round += 1) {
      const hold = fakeHold(locks, { resourceId: layer.digest });
      hold.revoke(new LayerpullError('lock_lost', 'lost'));
      locks.reply({ kind: 'granted', hold });
    }
    await expect(run()).rejects.toMatchObject({ code: 'lock_lost', exitCode: 7 });
    expect(store.blobs.size).toBe(1);
  });

  it('stays without a lock, refused or granted without a token', async () => {
    const { token: _, ...alone } = fakeHold(createFakeSessionLocks(), { resourceId: layer.digest });
    const replies = [
      { kind: 'refused', reason: 'taken', message: 'taken' },
      { kind: 'granted', hold: alone },
    ] as const;
    for (const reply of replies) {
      const { run, locks, store } = setUp();
      locks.reply(reply);
      await expect(run()).rejects.toMatchObject({ code: 'lock_refused', exitCode: 7 });
      expect(store.blobs.size).toBe(1);
    }
  });

  it('stays when the command is interrupted, and the lock is given back', async () => {
    const { run, locks, store, abort } = setUp();
    const acquire = locks.acquire.bind(locks);
    const interrupted = new LayerpullError('interrupted', 'Ctrl-C');
    locks.acquire = async (request, signal) => {
      const reply = await acquire(request, signal);
      abort.abort(interrupted);
      return reply;
    };
    await expect(run()).rejects.toBe(interrupted);
    expect(store.blobs.size).toBe(1);
    expect(locks.held.now).toBe(0);
  });
});

describe('the callbacks of a deletion', () => {
  it('decide before any lock request, and hear how it ended', async () => {
    const { run, locks } = setUp();
    const told: unknown[] = [];
    const outcome = await run({
      shouldSkip: async (type, digest) => type === 'delete' && digest === layer.digest,
      updateReferences: async (...args) => void told.push(args),
    });
    expect(outcome.kind).toBe('referenced');
    expect(locks.asked).toEqual([]);
    expect(told).toEqual([['delete', layer.digest, { success: true, outcome: 'referenced', bytes: 0 }]]);
  });
});
