import { describe, expect, it } from 'vitest';
import { deferred } from '../../../../src/core/abort.ts';
import { Departed } from '../../../../src/lock/backends/etcd/departed.ts';
import { keys } from '../../../../src/lock/backends/etcd/keys.ts';
import { type SeatId, toSeatId } from '../../../../src/lock/backends/etcd/replica/cluster.ts';

const [one, other, third] = [toSeatId('one'), toSeatId('other'), toSeatId('third')];

function setUp() {
  const known = new Map<SeatId, unknown>();
  const told: SeatId[] = [];
  let answer = deferred<void>();
  const departed = new Departed({
    known,
    submit: async (command) => {
      if (command.kind === 'seat-gone') told.push(command.seat);
      await answer.promise;
    },
  });
  const fail = async () => {
    const failed = answer;
    answer = deferred();
    failed.reject(new Error('etcd does not answer'));
    await failed.promise.catch(() => {});
  };
  return { known, told, departed, fail };
}

const entryOf = (seat: SeatId) => ({
  key: keys.entry(seat, 1),
  value: Buffer.from(''),
  createRevision: 1,
  modRevision: 1,
});

describe('a server that is gone', () => {
  it('is told once, and again where that failed', async () => {
    const { known, told, departed, fail } = setUp();
    known.set(one, {});
    departed.add(one);
    departed.tell();
    departed.tell();
    expect(told).toEqual([one]);
    await fail();
    departed.tell();
    expect(told).toEqual([one, one]);
  });

  it('is not told where nobody knows it', () => {
    const { told, departed } = setUp();
    departed.add(one);
    departed.tell();
    expect(told).toEqual([]);
  });

  it('is missed where it is known only by entries that still wait', () => {
    const { known, departed } = setUp();
    known.set(one, {}).set(other, {});
    const waiting = [entryOf(third), entryOf(other), { ...entryOf(third), key: 'live/log/of-others' }];
    expect(departed.missed(new Set([one]), waiting)).toEqual([other, third]);
  });
});
