import { describe, expect, it } from 'vitest';
import { deferred } from '../../src/core/abort.ts';
import { LayerpullError } from '../../src/core/errors.ts';
import { settle } from '../support/fake-clock.ts';
import { fakeHold } from '../support/fake-session-locks.ts';
import { createFlightStage, layer } from '../support/flight-stage.ts';
import { writeRest, writerOf } from '../support/flights.ts';

const success = { success: true };
const later = { kind: 'wait' };
const wrong = { ...layer, bytes: Buffer.from('fedcba9876543210') };

describe('a blob that this node may read from the registry', () => {
  it('is written by the writer that asks again, and published by its commit', async () => {
    const { flights, open, store, locks, messages, linesOf } = createFlightStage();
    expect(flights.open(layer)).toMatchObject(later);
    const writer = writerOf(await open());
    expect(writer.offset).toBe(0);
    await writeRest(writer, layer);
    await settle();
    expect([writer.written(), store.blobs.size]).toEqual([layer.size, 0]);
    await writer.commit();
    expect(store.blobs.has(layer.digest)).toBe(true);
    await settle();
    expect(locks.released).toMatchObject([{ outcome: success }]);
    expect(flights.open(layer)).toEqual({ kind: 'present' });
    expect(messages()).toEqual(['lock requested', 'lock granted', 'source', 'published', 'released']);
    expect(linesOf('lock requested')).toMatchObject([{ digest: layer.digest, size: layer.size }]);
    expect(linesOf('lock granted')).toMatchObject([{ token: expect.any(Number), source: 'registry' }]);
    expect(linesOf('source')).toMatchObject([{ source: 'registry through containerd', offset: 0 }]);
    expect(linesOf('released')).toMatchObject([{ success: true, token: expect.any(Number), heldMs: 0 }]);
  });

  it('is committed once it is published: the release follows', async () => {
    const { open, locks } = createFlightStage();
    const [hold, release] = [fakeHold(locks, { resourceId: layer.digest }), deferred<void>()];
    const slow = async (...args: Parameters<typeof hold.release>) => {
      await release.promise;
      await hold.release(...args);
    };
    locks.reply({ kind: 'granted', hold: { ...hold, release: slow } });
    const writer = writerOf(await open());
    await writeRest(writer, layer);
    await writer.commit();
    expect(locks.released).toEqual([]);
    release.resolve();
    await settle();
    expect(locks.released).toMatchObject([{ outcome: success }]);
  });

  it('is written from the byte that an earlier writer left', async () => {
    const { open, store } = createFlightStage();
    store.partials.set(layer.digest, layer.bytes.subarray(0, 6));
    const writer = writerOf(await open());
    expect([writer.offset, writer.written()]).toEqual([6, 6]);
    await writeRest(writer, layer);
    await writer.commit();
    expect(store.blobs.get(layer.digest)).toEqual(layer.bytes);
  });

  it('needs no writer where an earlier one wrote all of it', async () => {
    const { open, store, locks } = createFlightStage();
    store.partials.set(layer.digest, layer.bytes);
    expect(await open()).toEqual({ kind: 'present' });
    expect(locks.released).toMatchObject([{ outcome: success }]);
  });

  it('has one writer however many ask, and is present for all of them afterwards', async () => {
    const { flights, locks } = createFlightStage();
    for (let count = 0; count < 10; count += 1) expect(flights.open(layer)).toMatchObject(later);
    await settle();
    const opened = Array.from({ length: 10 }, () => flights.open(layer));
    const writer = writerOf(opened[0] ?? flights.open(layer));
    expect(opened.slice(1).map(({ kind }) => kind)).toEqual(Array.from({ length: 9 }, () => 'wait'));
    await writeRest(writer, layer);
    await writer.commit();
    await settle();
    for (let count = 0; count < 10; count += 1) expect(flights.open(layer)).toEqual({ kind: 'present' });
    expect(locks.asked).toHaveLength(1);
  });

  it('tells whoever waits what it waits for', async () => {
    const { flights, open } = createFlightStage();
    expect(flights.open(layer)).toEqual({ kind: 'wait', reason: `${layer.digest} is being looked for` });
    await open();
    expect(flights.open(layer)).toEqual({ kind: 'wait', reason: `${layer.digest} is being written` });
  });

  it('lets its writer be no further ahead of the store than the buffer is large', async () => {
    const { open, store } = createFlightStage({ bounds: { bufferBytes: 8 } });
    const gate = deferred<void>();
    const ingest = store.ingest;
    store.ingest = async (...args) => {
      const real = await ingest(...args);
      const write: typeof real.write = async (chunk) => {
        await gate.promise;
        await real.write(chunk);
      };
      return { ...real, write };
    };
    const writer = writerOf(await open());
    let writes = 0;
    const writing = (async () => {
      for (let start = 0; start < layer.size; start += 4, writes += 1)
        await writer.write(layer.bytes.subarray(start, start + 4));
    })();
    await settle();
    expect(writes).toBe(2);
    gate.resolve();
    await writing;
    await writer.commit();
    expect(store.blobs.get(layer.digest)).toEqual(layer.bytes);
  });
});

describe('a writer that fails', () => {
  it('hears of wrong bytes at its commit, which all others are told of', async () => {
    const { open, locks, store, flights } = createFlightStage();
    const writer = writerOf(await open());
    await writeRest(writer, wrong);
    await expect(writer.commit()).rejects.toMatchObject({ code: 'digest_mismatch' });
    await settle();
    expect(locks.released).toMatchObject([{ outcome: { success: false, class: 'content' } }]);
    expect(store.blobs.size).toBe(0);
    expect(flights.open(layer)).toMatchObject(later);
    expect(locks.asked).toHaveLength(1);
    const again = writerOf(await open());
    expect(again.offset).toBe(0);
  });

  it('may begin again at zero where the wrong bytes may be those of an earlier writer', async () => {
    const { open, store, locks } = createFlightStage();
    store.partials.set(layer.digest, wrong.bytes.subarray(0, 6));
    const first = writerOf(await open());
    await writeRest(first, layer);
    await expect(first.commit()).rejects.toMatchObject({ code: 'digest_mismatch' });
    const second = writerOf(await open());
    expect(second.offset).toBe(0);
    await writeRest(second, layer);
    await second.commit();
    await settle();
    expect(locks.asked).toHaveLength(1);
    expect(locks.released).toMatchObject([{ outcome: success }]);
  });

  it('that is closed in the middle leaves the lock to the next, and its bytes to the writer after it', async () => {
    const { open, locks, flights, linesOf } = createFlightStage();
    const writer = writerOf(await open());
    await writer.write(layer.bytes.subarray(0, 6));
    await writer.close('was cancelled by containerd');
    await writer.close();
    await settle();
    const error = expect.stringContaining('was cancelled by containerd after 6 of 16 bytes');
    expect(locks.released).toMatchObject([{ outcome: { success: false, class: 'node', error } }]);
    expect(linesOf('released')).toMatchObject([{ success: false, error, class: 'node' }]);
    await expect(writer.write(layer.bytes)).rejects.toMatchObject({ code: 'interrupted' });
    await expect(writer.commit()).rejects.toMatchObject({ code: 'interrupted' });
    expect(flights.open(layer)).toMatchObject(later);
    expect(writerOf(await open()).offset).toBe(6);
  });

  it('that commits too early hears so, and it is no verdict on the content', async () => {
    const { open, locks, store } = createFlightStage();
    const writer = writerOf(await open());
    await writer.write(layer.bytes.subarray(0, 6));
    await expect(writer.commit()).rejects.toMatchObject({ code: 'size_mismatch' });
    await settle();
    expect(locks.released).toMatchObject([{ outcome: { success: false, class: 'node' } }]);
    expect(store.partials.get(layer.digest)).toHaveLength(6);
  });

  it('hears that there is more than the blob has', async () => {
    const { open, flights } = createFlightStage();
    const writer = writerOf(await open());
    await writeRest(writer, layer);
    await writer.write(Buffer.from('more'));
    await expect(writer.commit()).rejects.toMatchObject({ code: 'size_mismatch' });
    await settle();
    expect(flights.open(layer)).toMatchObject(later);
  });

  it('hears that the disk is full, and the next node goes on', async () => {
    const { open, store, locks, flights } = createFlightStage({ bounds: { bufferBytes: 0 } });
    const ingest = store.ingest;
    store.ingest = async (...args) => {
      const full = async () => {
        throw new LayerpullError('store_full', 'no space left');
      };
      return { ...(await ingest(...args)), write: full };
    };
    const writer = writerOf(await open());
    await expect(writer.write(layer.bytes)).rejects.toMatchObject({ code: 'store_full' });
    await settle();
    expect(locks.released).toMatchObject([
      { outcome: { success: false, error: 'no space left', class: 'node' } },
    ]);
    // The writer was told: who asks now starts anew.
    expect(flights.open(layer)).toMatchObject(later);
  });

  it('hears that the lock went to somebody else', async () => {
    const { open, locks, linesOf } = createFlightStage();
    const hold = fakeHold(locks, { resourceId: layer.digest });
    locks.reply({ kind: 'granted', hold });
    const writer = writerOf(await open());
    await writer.write(layer.bytes.subarray(0, 6));
    await settle();
    hold.revoke(new LayerpullError('lock_lost', 'it went to node-b'));
    // What is lost is not released.
    locks.held.now -= 1;
    await settle();
    await expect(writer.write(layer.bytes.subarray(6))).rejects.toMatchObject({ code: 'lock_lost' });
    expect(linesOf('revoked')).toMatchObject([{ error: 'it went to node-b' }]);
    expect(writerOf(await open()).offset).toBe(6);
  });
});

describe('a blob that nobody writes', () => {
  it('leaves the lock to the next after five seconds, without an error, and then starts anew', async () => {
    const { clock, flights, locks, messages } = createFlightStage();
    flights.open(layer);
    await clock.advance(4_999);
    expect(locks.givenBack).toEqual([]);
    await clock.advance(1);
    expect(locks.givenBack).toHaveLength(1);
    expect(locks.released).toEqual([]);
    expect(messages()).toEqual(['lock requested', 'lock granted', 'declined']);
    expect(flights.open(layer)).toMatchObject(later);
    await settle();
    expect(flights.open(layer)).toMatchObject({ kind: 'writer' });
    expect(locks.asked).toHaveLength(2);
  });

  it('gives a writer that came in time as long as it needs', async () => {
    const { clock, flights, open, locks } = createFlightStage();
    flights.open(layer);
    await clock.advance(4_999);
    const writer = writerOf(flights.open(layer));
    await clock.advance(60_000);
    await writeRest(writer, layer);
    await writer.commit();
    await settle();
    expect(await open()).toEqual({ kind: 'present' });
    expect(locks.givenBack).toEqual([]);
  });
});
