import { describe, expect, it } from 'vitest';
import { silentLog } from '../../../../src/core/log.ts';
import { follow } from '../../../../src/lock/backends/etcd/follower.ts';
import { keys } from '../../../../src/lock/backends/etcd/keys.ts';
import { Outage } from '../../../../src/lock/backends/etcd/outage.ts';
import { toSeatId } from '../../../../src/lock/backends/etcd/replica/cluster.ts';
import { onCleanup } from '../../../support/cleanup.ts';
import { createFakeClock } from '../../../support/fake-clock.ts';
import { createFakeEtcd } from '../../../support/fake-etcd.ts';

const seat = toSeatId('seat');

/** Follows from the start on. */
function setUp() {
  const clock = createFakeClock();
  const fake = createFakeEtcd();
  const etcd = fake.client();
  const end = new AbortController();
  const told: string[] = [];
  let applied = 0;
  const outage = new Outage({ clock, log: silentLog, patienceMs: 3_000 });
  const following = follow({
    ...{ etcd, clock, log: silentLog, outage, revision: fake.revision(), signal: end.signal },
    appliedRevision: () => applied,
    onEntry: ({ value, modRevision }) => {
      // As whoever applies them does: each but once.
      if (modRevision <= applied) return;
      applied = modRevision;
      told.push(value.toString());
    },
    onDeleted: (key) => told.push(`deleted ${key}`),
    onSeatGone: (id) => told.push(`gone ${id}`),
    onSeats: (seats) => told.push(`seats ${[...seats]}`),
  });
  following.catch(() => {});
  onCleanup(() => end.abort());
  const write = (seq: number) => fake.put(keys.entry(seat, seq), `entry ${seq}`);
  const erase = (key: string) => fake.client().transact({ compare: [], success: [{ kind: 'delete', key }] });
  return { clock, fake, etcd, end, told, following, outage, write, erase };
}

describe('whoever follows a cluster', () => {
  it('hears of each entry once and in order, though the watch breaks', async () => {
    const { clock, etcd, told, write } = setUp();
    for (let seq = 1; seq <= 6; seq += 1) {
      write(seq);
      await clock.advance(seq % 2 === 0 ? 0 : 1_000);
      etcd.breakWatches();
    }
    await clock.advance(5_000);
    expect(told).toEqual([1, 2, 3, 4, 5, 6].map((seq) => `entry ${seq}`));
  });

  it('hears what happened while etcd was away, and that it was', async () => {
    const { clock, etcd, told, outage, write } = setUp();
    await clock.advance(0);
    etcd.cutOff(true);
    write(1);
    await clock.advance(3_500);
    expect(outage.trouble()).toContain('etcd tells of no changes');
    etcd.cutOff(false);
    await clock.advance(15_000);
    expect(told).toEqual(['entry 1']);
    expect(outage.trouble()).toBeUndefined();
  });

  it('tells a seat that is gone from an entry that is only in a snapshot by now', async () => {
    const { clock, fake, told, write, erase } = setUp();
    fake.put(keys.seat(seat), '');
    write(1);
    await erase(keys.entry(seat, 1));
    await erase(keys.seat(seat));
    await clock.advance(0);
    expect(told).toEqual(['entry 1', `deleted ${keys.entry(seat, 1)}`, 'gone seat']);
  });

  it('reads what it missed where etcd forgot the history, and who is still there', async () => {
    const { clock, fake, etcd, told, write } = setUp();
    fake.put(keys.seat(seat), '');
    await clock.advance(0);
    etcd.cutOff(true);
    write(1);
    write(2);
    fake.compact();
    etcd.cutOff(false);
    await clock.advance(5_000);
    write(3);
    await clock.advance(0);
    expect(told).toEqual(['entry 1', 'entry 2', 'seats seat', 'entry 3']);
  });

  it('tries again to read what it missed, where etcd is away once more', async () => {
    const { clock, fake, etcd, told, write } = setUp();
    await clock.advance(0);
    etcd.cutOff(true);
    write(1);
    fake.compact();
    etcd.loseLists(2);
    etcd.cutOff(false);
    await clock.advance(15_000);
    expect(told).toEqual(['entry 1', 'seats ']);
  });

  it('gives up where what it missed is only in a snapshot', async () => {
    const { clock, fake, etcd, following, write, erase } = setUp();
    await clock.advance(0);
    etcd.cutOff(true);
    write(1);
    const current = { revision: fake.revision(), pieces: 0, sha256: '' };
    fake.put(keys.current, JSON.stringify(current));
    await erase(keys.entry(seat, 1));
    fake.compact();
    etcd.cutOff(false);
    await clock.advance(5_000);
    await expect(following).rejects.toThrow('only in a snapshot by now');
  });

  it('ends when it is told to', async () => {
    const { clock, end, following } = setUp();
    await clock.advance(0);
    end.abort();
    await expect(following).resolves.toBeUndefined();
  });
});
