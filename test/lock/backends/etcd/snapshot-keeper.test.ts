import { describe, expect, it } from 'vitest';
import { toNodeId, toSessionId } from '../../../../src/core/ids.ts';
import { silentLog } from '../../../../src/core/log.ts';
import { keys } from '../../../../src/lock/backends/etcd/keys.ts';
import { load } from '../../../../src/lock/backends/etcd/loader.ts';
import { toSeatId } from '../../../../src/lock/backends/etcd/replica/cluster.ts';
import { encodeEntry } from '../../../../src/lock/backends/etcd/replica/entry.ts';
import { SnapshotKeeper } from '../../../../src/lock/backends/etcd/snapshot-keeper.ts';
import { machineOptions } from '../../../../src/lock/machine/options.ts';
import { createFakeClock } from '../../../support/fake-clock.ts';
import { createFakeEtcd, type FakeEtcd } from '../../../support/fake-etcd.ts';

const seat = toSeatId('seat');
const machine = machineOptions({ recoveryMs: 0 });
const { signal } = new AbortController();

/** Entries each of which opens a session. */
function fill(fake: FakeEtcd, fromSeq: number, toSeq: number): void {
  for (let seq = fromSeq; seq <= toSeq; seq += 1) {
    const request = { sessionId: toSessionId(`s-${seq}`), nodeId: toNodeId('n') };
    const commands = [{ kind: 'open-session', request, isReturning: false }] as const;
    fake.put(keys.entry(seat, seq), encodeEntry({ seat, seq, atMs: seq, commands }));
  }
}

const loadFrom = (fake: FakeEtcd) => load({ etcd: fake.client(), machine, atMs: 0, log: silentLog, signal });

async function createRevisionOf(fake: FakeEtcd, key: string): Promise<number> {
  const { entries } = await fake.client().list(key);
  return entries[0]?.createRevision ?? 0;
}

async function keeperOf(fake: FakeEtcd, dueEntries: number) {
  const clock = createFakeClock();
  fake.put(keys.seat(seat), '');
  const seatRevision = await createRevisionOf(fake, keys.seat(seat));
  const { cluster, book, appliedRevision } = await loadFrom(fake);
  const keeper = new SnapshotKeeper({
    ...{ etcd: fake.client(), clock, log: silentLog, seat, seatRevision },
    ...{ cluster, book, dueEntries, signal },
    appliedRevision: () => appliedRevision,
    pause: () => () => {},
  });
  return { keeper, cluster };
}

describe('what keeps the log in etcd short', () => {
  it('does nothing before it is due', async () => {
    const fake = createFakeEtcd();
    fill(fake, 1, 4);
    const { keeper } = await keeperOf(fake, 5);
    keeper.consider();
    await keeper.settled();
    expect(fake.keys(keys.snapshots)).toEqual([]);
  });

  it('puts a snapshot in the place of the entries that it covers, and whoever reads both comes to the same', async () => {
    const fake = createFakeEtcd();
    fill(fake, 1, 5);
    const { keeper, cluster } = await keeperOf(fake, 5);
    fill(fake, 6, 6);
    keeper.consider();
    await keeper.settled();
    expect(fake.keys(keys.log)).toEqual([keys.entry(seat, 6)]);
    const again = await loadFrom(fake);
    expect([...again.cluster.machine.sessions.keys()]).toEqual([1, 2, 3, 4, 5, 6].map((seq) => `s-${seq}`));
    expect(again.cluster.seats.get(seat)?.lastSeq).toBe(6);
    expect(cluster.seats.get(seat)?.lastSeq).toBe(5);
    expect(again.book.size).toBe(1);
  });

  it('deletes nothing where another server was faster', async () => {
    const fake = createFakeEtcd();
    fill(fake, 1, 5);
    const [slow, fast] = [await keeperOf(fake, 5), await keeperOf(fake, 5)];
    slow.keeper.consider();
    fast.keeper.consider();
    await Promise.all([slow.keeper.settled(), fast.keeper.settled()]);
    fill(fake, 6, 8);
    const { cluster } = await loadFrom(fake);
    expect(cluster.machine.sessions.size).toBe(8);
    expect(fake.keys(keys.log)).toHaveLength(3);
  });

  it('writes nothing any more where its server is none of the cluster', async () => {
    const fake = createFakeEtcd();
    fill(fake, 1, 5);
    const { keeper } = await keeperOf(fake, 5);
    const [log, snapshots] = [keys.log, keys.snapshots];
    const drop = [log, snapshots, keys.seats].map(
      (from) => ({ kind: 'delete-range', from, to: `${from}\u{7f}` }) as const,
    );
    // As servers of another version do it, which begin anew.
    keeper.consider();
    await fake.client().transact({ compare: [], success: drop });
    fill(fake, 1, 2);
    await keeper.settled();
    expect(fake.keys(snapshots)).toEqual([]);
    expect((await loadFrom(fake)).cluster.machine.sessions.size).toBe(2);
  });

  it('refuses a snapshot that is damaged', async () => {
    const fake = createFakeEtcd();
    fill(fake, 1, 5);
    const { keeper } = await keeperOf(fake, 5);
    keeper.consider();
    await keeper.settled();
    const [piece] = fake.keys(keys.snapshots).filter((key) => key !== keys.current);
    fake.put(piece ?? '', 'something else');
    await expect(loadFrom(fake)).rejects.toMatchObject({ code: 'data_unusable' });
  });

  it('passes over what cannot be read, and reads the rest', async () => {
    const fake = createFakeEtcd();
    fill(fake, 1, 2);
    fake.put(keys.entry(seat, 3), 'not an entry');
    fake.put('live/log/of-others', 'x');
    fill(fake, 4, 4);
    const { cluster } = await loadFrom(fake);
    expect([...cluster.machine.sessions.keys()]).toEqual(['s-1', 's-2', 's-4']);
  });
});
