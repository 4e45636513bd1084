import { describe, expect, it } from 'vitest';
import { LayerpullError } from '../../src/core/errors.ts';
import { toNodeId } from '../../src/core/ids.ts';
import { settle } from '../support/fake-clock.ts';
import { fakeHold, fakePlace } from '../support/fake-session-locks.ts';
import { createFlightStage, layer } from '../support/flight-stage.ts';
import { writeRest, writerOf } from '../support/flights.ts';

const later = { kind: 'wait' };

describe('a blob that is in the store', () => {
  it('is present, and the lock service is not asked', async () => {
    const { flights, open, store, locks, messages } = createFlightStage();
    store.blobs.set(layer.digest, layer.bytes);
    expect(flights.open(layer)).toMatchObject(later);
    expect(await open()).toEqual({ kind: 'present' });
    expect(locks.asked).toEqual([]);
    expect(messages()).toEqual(['present']);
  });

  it('is brought anew once somebody has removed it', async () => {
    const { flights, open, store, locks } = createFlightStage();
    store.blobs.set(layer.digest, layer.bytes);
    await open();
    store.blobs.clear();
    expect(flights.open(layer)).toEqual({ kind: 'present' });
    await settle();
    expect(flights.open(layer)).toMatchObject(later);
    expect(writerOf(await open()).offset).toBe(0);
    expect(locks.asked).toHaveLength(1);
  });

  it('is as the callbacks decide, which are told how it ended', async () => {
    const told: unknown[] = [];
    const { open, locks, messages } = createFlightStage({
      callbacks: {
        shouldSkip: async (_, digest) => digest === layer.digest,
        updateReferences: async (...args) => void told.push(args),
      },
    });
    expect(await open()).toEqual({ kind: 'present' });
    expect(told).toEqual([['pull', layer.digest, { success: true, outcome: 'present', bytes: 0 }]]);
    expect(messages()).toEqual(['present', 'reference updated']);
    expect(locks.asked).toEqual([]);
  });

  it('is kept from being removed while it is brought, and no longer', async () => {
    const claims: string[] = [];
    const { open } = createFlightStage({
      claim: async ({ digest }) => {
        claims.push(`claim ${digest === layer.digest}`);
        return { release: async () => void claims.push('release') };
      },
    });
    const writer = writerOf(await open());
    expect(claims).toEqual(['claim true']);
    await writeRest(writer, layer);
    await writer.commit();
    await settle();
    expect(claims).toEqual(['claim true', 'release']);
  });
});

describe('a blob that somebody else brings', () => {
  it('is waited for, and present once it is there', async () => {
    const { flights, open, store, locks, messages, linesOf } = createFlightStage();
    const place = fakePlace(locks, 'node-b', 2);
    locks.reply({ kind: 'queued', place });
    expect(await open()).toEqual({ kind: 'wait', reason: `${layer.digest} is being brought by node-b` });
    place.change({ kind: 'moved', position: 1, holder: { nodeId: toNodeId('node-c') } });
    await settle();
    expect(flights.open(layer)).toMatchObject({ reason: `${layer.digest} is being brought by node-c` });
    store.blobs.set(layer.digest, layer.bytes);
    place.change({ kind: 'ended' });
    expect(await open()).toEqual({ kind: 'present' });
    expect(messages()).toEqual(['lock requested', 'queued', 'queued', 'skip']);
    expect(linesOf('queued')).toMatchObject([
      { position: 2, holder: 'node-b' },
      { position: 1, holder: 'node-c' },
    ]);
    expect(linesOf('skip')).toMatchObject([{ by: 'node-b' }]);
  });

  it('is skipped where the lock service knows that it is there', async () => {
    const { open, store, locks, linesOf } = createFlightStage();
    const acquire = locks.acquire;
    locks.acquire = async (...args) => {
      store.blobs.set(layer.digest, layer.bytes);
      return await acquire(...args);
    };
    locks.reply({ kind: 'skip', by: { nodeId: toNodeId('node-b') } });
    expect(await open()).toEqual({ kind: 'present' });
    expect(linesOf('skip')).toMatchObject([{ by: 'node-b' }]);
  });

  it('is written here when it is our turn', async () => {
    const { clock, open, locks, messages, linesOf } = createFlightStage();
    const place = fakePlace(locks);
    locks.reply({ kind: 'queued', place });
    await open();
    await clock.advance(1_500);
    place.change({ kind: 'granted', waiters: 0 });
    const writer = writerOf(await open());
    await writeRest(writer, layer);
    await writer.commit();
    await settle();
    expect(messages()).toEqual([
      'lock requested',
      'queued',
      'granted after wait',
      'source',
      'published',
      'released',
    ]);
    expect(linesOf('granted after wait')).toMatchObject([{ waitedMs: 1_500, source: 'registry' }]);
  });

  it('is written here without a lock when the holder is too slow', async () => {
    const { open, locks, messages } = createFlightStage();
    const place = fakePlace(locks);
    locks.reply({ kind: 'queued', place });
    await open();
    const { token: _, ...hold } = fakeHold(locks, { resourceId: layer.digest });
    locks.held.now += 1;
    place.change({ kind: 'left', hold });
    expect(await open()).toMatchObject({ kind: 'writer' });
    await settle();
    expect(messages()).toEqual(['lock requested', 'queued', 'going on without a lock', 'source']);
  });

  it('is given up once nobody has asked for it for ten seconds', async () => {
    const { clock, flights, open, locks, messages, linesOf } = createFlightStage();
    locks.reply({ kind: 'queued', place: fakePlace(locks) });
    await open();
    await clock.advance(9_000);
    expect(flights.open(layer)).toMatchObject(later);
    await clock.advance(10_000);
    expect(messages()).toEqual(['lock requested', 'queued']);
    await clock.advance(1_000);
    expect(messages()).toEqual(['lock requested', 'queued', 'left the queue', 'given up']);
    expect(linesOf('given up')).toMatchObject([{ reason: 'nobody asks for it any longer' }]);
    expect(flights.open(layer)).toMatchObject(later);
    await settle();
    expect(locks.asked).toHaveLength(2);
  });
});

describe('a flight that fails before anybody writes', () => {
  it('is told once, and who asks then starts anew', async () => {
    const { flights, open, locks, messages, linesOf } = createFlightStage();
    locks.reply({ kind: 'refused', reason: 'content', message: 'wrong bytes' });
    expect(await open()).toMatchObject({ kind: 'failed', error: { code: 'content_refused' } });
    expect(messages()).toEqual(['lock requested', 'lock refused', 'failed']);
    expect(linesOf('failed')).toMatchObject([{ code: 'content_refused' }]);
    expect(flights.open(layer)).toMatchObject(later);
    await settle();
    expect(flights.open(layer)).toMatchObject({ kind: 'writer' });
  });

  it('is told to nobody who comes much later', async () => {
    const { clock, flights, locks } = createFlightStage();
    locks.reply({ kind: 'refused', reason: 'content', message: 'wrong bytes' });
    flights.open(layer);
    await clock.advance(3_000);
    expect(flights.open(layer)).toMatchObject(later);
  });

  it('is told where the store cannot take the blob', async () => {
    const { open, store, locks } = createFlightStage();
    store.ingest = async () => {
      throw new LayerpullError('store_failed', 'the disk is gone');
    };
    expect(await open()).toMatchObject({ kind: 'failed', error: { code: 'store_failed' } });
    expect(locks.released).toMatchObject([{ outcome: { success: false, class: 'node' } }]);
  });
});

describe('flights that are closed', () => {
  it('end what flies: the writer hears of it, the lock goes to the next, and what came is kept', async () => {
    const { flights, open, store, locks } = createFlightStage();
    const writer = writerOf(await open());
    await writer.write(layer.bytes.subarray(0, 6));
    await settle();
    await flights.close();
    await expect(writer.write(layer.bytes.subarray(6))).rejects.toMatchObject({ code: 'interrupted' });
    expect(locks.released).toMatchObject([{ outcome: { success: false, class: 'node' } }]);
    expect(store.partials.get(layer.digest)).toHaveLength(6);
    expect(flights.open(layer)).toMatchObject(later);
    await settle();
    expect(locks.asked).toHaveLength(1);
  });

  it('end a wait for a writer and a wait for a commit', async () => {
    const { flights, open, locks } = createFlightStage();
    const writer = writerOf(await open());
    await writeRest(writer, layer);
    const other = { ...layer, size: layer.size + 1 };
    flights.open(other);
    await settle();
    await flights.close();
    await flights.close();
    await expect(writer.commit()).rejects.toMatchObject({ code: 'interrupted' });
    expect(locks.released).toHaveLength(2);
  });

  it('leave the queue', async () => {
    const { flights, open, locks, messages } = createFlightStage();
    locks.reply({ kind: 'queued', place: fakePlace(locks) });
    await open();
    await flights.close();
    expect(messages()).toEqual(['lock requested', 'queued', 'left the queue', 'given up']);
  });
});
