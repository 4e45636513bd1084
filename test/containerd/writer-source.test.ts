import { describe, expect, it } from 'vitest';
import { WriterSource } from '../../src/containerd/writer-source.ts';
import { LayerpullError } from '../../src/core/errors.ts';
import { LockUnused } from '../../src/hooks/layer-unused.ts';
import type { OpenBlob, SourceUse } from '../../src/source/blob-source.ts';
import { collect } from '../peer/support.ts';
import { createFakeClock, settle } from '../support/fake-clock.ts';
import { layer } from '../support/flight-stage.ts';
import { writeRest } from '../support/flights.ts';

function setUp(request: Partial<OpenBlob> = {}) {
  const clock = createFakeClock();
  const source = new WriterSource(clock);
  const abort = new AbortController();
  const uses: SourceUse[] = [];
  const open = () =>
    collect(source.open(layer, { signal: abort.signal, onSource: (use) => uses.push(use), ...request }));
  const take = () => {
    const writer = source.take();
    if (!writer) throw new Error('no writer is wanted');
    return writer;
  };
  return { clock, source, abort, uses, open, take };
}

const moved = new LayerpullError('lock_lost', 'moved');

describe('what a writer of containerd feeds', () => {
  it('gives the bytes as they were written, whatever their pieces, until the commit', async () => {
    const { source, open, take, uses, clock } = setUp({ offset: 2 });
    const reading = open();
    await settle();
    const writer = take();
    expect([writer.offset, source.isFed]).toEqual([2, true]);
    await writer.write(new Uint8Array());
    await writeRest(writer, layer, 1);
    const committed = writer.commit();
    expect((await reading).toString()).toBe(layer.bytes.subarray(2).toString());
    source.published();
    await committed;
    expect(uses).toEqual([{ url: source.url, offset: 2 }]);
    expect([source.isFed, clock.pending()]).toEqual([false, 0]);
  });

  it('wants a writer only while it is open, and then one', async () => {
    const { source, open, take, abort } = setUp();
    expect(source.take()).toBeUndefined();
    const reading = open();
    await settle();
    take();
    expect(source.take()).toBeUndefined();
    abort.abort(moved);
    await expect(reading).rejects.toBe(moved);
    expect(source.take()).toBeUndefined();
  });

  it('wants none from the moment on in which its reader leaves', async () => {
    const { source, open, abort, clock } = setUp();
    const reading = open();
    await settle();
    abort.abort(moved);
    expect(source.take()).toBeUndefined();
    await expect(reading).rejects.toBe(moved);
    expect(clock.pending()).toBe(0);
  });

  it('lets a writer hear that its reader leaves in the moment in which it comes', async () => {
    const { open, take, abort } = setUp();
    const reading = open();
    await settle();
    const writer = take();
    abort.abort(moved);
    await expect(reading).rejects.toBe(moved);
    await expect(writer.write(layer.bytes)).rejects.toBe(moved);
    await expect(writer.commit()).rejects.toBe(moved);
  });

  it('lets a writer hear so that waits for room or for its commit', async () => {
    const { open, take, abort } = setUp();
    const reading = open();
    await settle();
    const writer = take();
    await writeRest(writer, layer);
    const committed = writer.commit();
    abort.abort(moved);
    await expect(reading).rejects.toBe(moved);
    await expect(committed).rejects.toBe(moved);
  });

  it('ends where no writer comes in time', async () => {
    const { source, open, clock } = setUp();
    const reading = open();
    const ended = expect(reading).rejects.toBeInstanceOf(LockUnused);
    await clock.advance(5_000);
    await ended;
    expect([source.take(), clock.pending()]).toEqual([undefined, 0]);
  });

  it('takes no second commit, and nothing after one', async () => {
    const { source, open, take } = setUp();
    const reading = open();
    await settle();
    const writer = take();
    await writeRest(writer, layer);
    const committed = writer.commit();
    await expect(writer.commit()).rejects.toMatchObject({ code: 'interrupted' });
    await expect(writer.write(layer.bytes)).rejects.toMatchObject({ code: 'interrupted' });
    await writer.close();
    await reading;
    source.published();
    source.fail(moved);
    await committed;
  });

  it('hears what is known against its bytes before it asks for any', async () => {
    const error = new LayerpullError('digest_mismatch', 'wrong');
    const wrong = setUp({ standing: () => ({ kind: 'wrong', error }) });
    await expect(wrong.open()).rejects.toBe(error);
    const barred = setUp({ standing: () => ({ kind: 'barred' }) });
    await expect(barred.open()).rejects.toMatchObject({ code: 'registry_failed' });
  });
});
