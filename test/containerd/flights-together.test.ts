import { describe, expect, it, onTestFinished } from 'vitest';
import { createFlights } from '../../src/containerd/flights.ts';
import { blobOf } from '../support/blobs.ts';
import { createFakeBlobStore } from '../support/fake-blob-store.ts';
import { createLineLog, openAtLast, writeRest, writerOf } from '../support/flights.ts';
import { createSessionStage } from '../support/session-stage.ts';

const layer = blobOf('0123456789abcdef');

/** Nodes with one store at one lock service in memory. */
function createFleet() {
  const { clock, locks, open, warnings } = createSessionStage();
  const store = createFakeBlobStore();
  const node = (name: string) => {
    const { log, messages, lines } = createLineLog();
    const session = open(name);
    const flights = createFlights({ clock, store, locks: session, log });
    onTestFinished(async () => {
      const closing = flights.close();
      await clock.advance(2_000);
      await closing;
    });
    /** Asks as containerd does, until it need not wait. */
    const ask = async (everyMs = 100) =>
      await openAtLast(flights, layer, async () => await clock.advance(everyMs));
    return { flights, session, ask, messages, lines };
  };
  return { clock, locks, store, warnings, node };
}

describe('two nodes with one store', () => {
  it('take a blob from the registry once: one writes, the other waits and finds it present', async () => {
    const { clock, node } = createFleet();
    const [a, b] = [node('node-a'), node('node-b')];
    const writer = writerOf(await a.ask());
    b.flights.open(layer);
    await clock.advance(100);
    expect(b.flights.open(layer)).toMatchObject({ kind: 'wait', reason: expect.stringContaining('node-a') });
    await writeRest(writer, layer);
    await writer.commit();
    expect([await a.ask(), await b.ask()]).toEqual([{ kind: 'present' }, { kind: 'present' }]);
    expect(a.messages()).toEqual(['lock requested', 'lock granted', 'source', 'published', 'released']);
    expect(b.messages()).toEqual(['lock requested', 'queued', 'skip']);
    expect(b.lines.slice(1)).toMatchObject([{ position: 1, holder: 'node-a' }, { by: 'node-a' }]);
  });

  it('go on one after the other: what the first left in the middle the second ends', async () => {
    const { clock, node, store } = createFleet();
    const [a, b] = [node('node-a'), node('node-b')];
    const first = writerOf(await a.ask());
    b.flights.open(layer);
    await clock.advance(100);
    await first.write(layer.bytes.subarray(0, 6));
    await first.close('was closed');
    const second = writerOf(await b.ask());
    expect(second.offset).toBe(6);
    await writeRest(second, layer);
    await second.commit();
    expect(store.blobs.get(layer.digest)).toEqual(layer.bytes);
    expect(a.messages()).toEqual(['lock requested', 'lock granted', 'source', 'released', 'failed']);
    expect(b.messages().slice(0, 3)).toEqual(['lock requested', 'queued', 'granted after wait']);
    expect(await a.ask()).toEqual({ kind: 'present' });
  });

  it('hand the lock on at once, without an error, where nobody writes on the first', async () => {
    const { clock, node, locks } = createFleet();
    const [a, b] = [node('node-a'), node('node-b')];
    a.flights.open(layer);
    await clock.advance(0);
    b.flights.open(layer);
    await clock.advance(4_900);
    expect(b.flights.open(layer)).toMatchObject({ kind: 'wait' });
    await clock.advance(100);
    const writer = writerOf(b.flights.open(layer));
    expect(a.messages()).toEqual(['lock requested', 'lock granted', 'declined']);
    const [view] = await locks.list({});
    expect(view).toMatchObject({ holder: { nodeId: 'node-b' } });
    expect(view?.lastError).toBeUndefined();
    await writeRest(writer, layer);
    await writer.commit();
    expect(await a.ask()).toEqual({ kind: 'present' });
  });

  it('go on alone where the lock server is gone, after one warning', async () => {
    const { clock, locks, node, store, warnings } = createFleet();
    locks.cut();
    const a = node('node-a');
    const writer = writerOf(await a.ask(1_000));
    await writeRest(writer, layer);
    await writer.commit();
    await clock.advance(100);
    expect(store.blobs.get(layer.digest)).toEqual(layer.bytes);
    expect(warnings).toMatchObject([{ code: 'lock_unreachable' }]);
    expect(a.messages()).toEqual([
      'lock requested',
      'going on without a lock',
      'source',
      'published',
      'released',
    ]);
  });

  it('end what they write while the lock server goes away', async () => {
    const { clock, locks, node, store } = createFleet();
    const a = node('node-a');
    const writer = writerOf(await a.ask());
    await writer.write(layer.bytes.subarray(0, 6));
    locks.cut();
    await clock.advance(60_000);
    for (let at = 6; at < layer.size; at += 1) await writer.write(layer.bytes.subarray(at, at + 1));
    await writer.commit();
    expect(store.blobs.get(layer.digest)).toEqual(layer.bytes);
    expect(await a.ask(1_000)).toEqual({ kind: 'present' });
  });

  it('go on where the session of the first is lost while its writer is at work', async () => {
    const { clock, node, locks } = createFleet();
    const [a, b] = [node('node-a'), node('node-b')];
    const first = writerOf(await a.ask());
    b.flights.open(layer);
    await clock.advance(100);
    await locks.closeSession(a.session.sessionId);
    const second = writerOf(await b.ask());
    await writeRest(second, layer);
    await second.commit();
    expect(await b.ask()).toEqual({ kind: 'present' });
    await clock.advance(20_000);
    await expect(first.write(layer.bytes)).rejects.toMatchObject({ code: 'lock_lost' });
    expect(a.messages()).toContain('revoked');
  });
});
