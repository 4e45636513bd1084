import { describe, expect, it } from 'vitest';
import type { FlightsOptions } from '../../src/containerd/flights.ts';
import { LayerpullError } from '../../src/core/errors.ts';
import type { Source } from '../../src/lock/locks.ts';
import type { Peers } from '../../src/peer/client.ts';
import { guided } from '../../src/peer/guided.ts';
import { createPeerHealth } from '../../src/peer/peer-health.ts';
import { fakeGuide, peerAt, registrySource } from '../peer/support.ts';
import { createFakeClock, settle } from '../support/fake-clock.ts';
import { fakeHold } from '../support/fake-session-locks.ts';
import { createFlightStage, layer } from '../support/flight-stage.ts';
import { writeRest, writerOf } from '../support/flights.ts';

const peer = peerAt('http://node-b:7041', true, 'node-b');
const unreachable = () => new LayerpullError('registry_unreachable', 'it is gone', { origin: 'peer' });

/** A peer that gives so many bytes from where it is asked, and then an error if they are not all. */
function peersGiving(bytes: number): Peers {
  return {
    blobs: (url) => ({
      url,
      async *open({ size }, { offset = 0 }) {
        const end = Math.min(size, offset + bytes);
        if (end > offset) yield layer.bytes.subarray(offset, end);
        if (end < size) throw unreachable();
      },
    }),
    bytesOf: async () => undefined,
    recorded: async () => undefined,
    close: async () => {},
  };
}

/** Flights whose lock names `first` as the source, and then the answers in turn. */
function setUp(peers: Peers, first: Source, answers: readonly Source[] = []) {
  const health = createPeerHealth(() => {});
  const reading: FlightsOptions['guided'] = (guide, registry) =>
    guided({ guide, registry, peers, health, clock: createFakeClock() });
  const stage = createFlightStage({ guided: reading });
  const guide = fakeGuide(first, answers);
  const hold = { ...fakeHold(stage.locks, { resourceId: layer.digest }), source: first, guide };
  stage.locks.reply({ kind: 'granted', hold });
  return { ...stage, guide };
}

describe('a blob that another node has', () => {
  it('comes from there: containerd writes nothing and finds it present', async () => {
    const { open, store, locks, messages, linesOf } = setUp(peersGiving(layer.size), peer);
    expect(await open()).toEqual({ kind: 'present' });
    expect(store.blobs.get(layer.digest)).toEqual(layer.bytes);
    expect(locks.released).toMatchObject([{ outcome: { success: true } }]);
    expect(messages()).toEqual(['lock requested', 'lock granted', 'source', 'published', 'released']);
    expect(linesOf('lock granted')).toMatchObject([{ source: peer.url, peer: 'node-b' }]);
    expect(linesOf('source')).toMatchObject([{ source: peer.url, peer: 'node-b', offset: 0 }]);
  });

  it('is written by containerd from the byte at which that node broke off', async () => {
    const { open, store, linesOf } = setUp(peersGiving(6), peer, [registrySource]);
    const writer = writerOf(await open());
    expect([writer.offset, writer.written()]).toEqual([6, 6]);
    await writeRest(writer, layer);
    await writer.commit();
    expect(store.blobs.get(layer.digest)).toEqual(layer.bytes);
    expect(linesOf('source')).toMatchObject([
      { source: peer.url, offset: 0 },
      { source: 'registry through containerd', offset: 6, reason: expect.stringContaining('node-b') },
    ]);
  });

  it('leaves the lock to others where that node broke off and no writer comes', async () => {
    const { clock, flights, locks, store } = setUp(peersGiving(6), peer, [registrySource]);
    flights.open(layer);
    await clock.advance(5_000);
    expect([locks.givenBack.length, locks.released]).toEqual([1, []]);
    expect(store.partials.get(layer.digest)).toHaveLength(6);
  });

  it('comes from there as soon as the lock server names it, while no writer has come', async () => {
    const { flights, open, guide } = setUp(peersGiving(layer.size), registrySource);
    flights.open(layer);
    await settle();
    guide.move(peer);
    expect(flights.open(layer)).toMatchObject({ kind: 'wait' });
    expect(await open()).toEqual({ kind: 'present' });
  });

  it('is written to the end by a writer that is at work when the lock server names another node', async () => {
    const { open, guide, linesOf } = setUp(peersGiving(layer.size), registrySource);
    const writer = writerOf(await open());
    await writer.write(layer.bytes.subarray(0, 6));
    guide.move(peer);
    await settle();
    for (let at = 6; at < layer.size; at += 1) await writer.write(layer.bytes.subarray(at, at + 1));
    await writer.commit();
    expect(linesOf('source')).toMatchObject([{ source: 'registry through containerd' }]);
    expect(guide.listeners()).toBe(0);
  });

  it('is not what counts where a writer ends in the middle: the flight ends, and starts anew', async () => {
    const { open, locks } = setUp(peersGiving(0), registrySource, [peer]);
    const writer = writerOf(await open());
    await writer.write(layer.bytes.subarray(0, 6));
    await writer.close('was closed');
    await settle();
    expect(locks.released).toMatchObject([{ outcome: { success: false, class: 'node' } }]);
  });

  it('is asked of containerd once more from zero where it was put together wrongly', async () => {
    const stage = setUp(peersGiving(6), peer, [registrySource]);
    const first = writerOf(await stage.open());
    for (let at = first.offset; at < layer.size; at += 1) await first.write(Buffer.from('x'));
    await expect(first.commit()).rejects.toMatchObject({ code: 'digest_mismatch' });
    await settle();
    const second = writerOf(await stage.open());
    expect(second.offset).toBe(0);
    await writeRest(second, layer);
    await second.commit();
    expect(stage.store.blobs.get(layer.digest)).toEqual(layer.bytes);
  });
});
