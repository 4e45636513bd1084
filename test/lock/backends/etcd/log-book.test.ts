import { expect, it } from 'vitest';
import { keys } from '../../../../src/lock/backends/etcd/keys.ts';
import { LogBook } from '../../../../src/lock/backends/etcd/log-book.ts';
import { toSeatId } from '../../../../src/lock/backends/etcd/replica/cluster.ts';

const [one, other] = [toSeatId('one'), toSeatId('other')];

it('the log book counts each entry once, and forgets what is deleted', () => {
  const book = new LogBook();
  for (let time = 0; time < 2; time += 1) {
    book.wrote(keys.entry(one, 1), 10, 100);
    book.wrote(keys.entry(one, 2), 11, 50);
    book.wrote('live/log/of-others', 12, 1_000);
  }
  expect([book.size, book.bytes]).toEqual([2, 150]);
  book.deleted(keys.entry(one, 1));
  book.deleted(keys.entry(one, 1));
  book.deleted(keys.entry(other, 1));
  expect([book.size, book.bytes]).toEqual([1, 50]);
});

it('the log book names what a snapshot covers by the last entry of each seat, and nothing later', () => {
  const book = new LogBook();
  book.wrote(keys.entry(one, 1), 10, 1);
  book.wrote(keys.entry(other, 1), 11, 1);
  book.wrote(keys.entry(one, 2), 12, 1);
  book.wrote(keys.entry(one, 3), 14, 1);
  expect(book.deletions(12)).toEqual([
    { kind: 'delete-range', from: keys.entry(one, 0), to: keys.entry(one, 3) },
    { kind: 'delete-range', from: keys.entry(other, 0), to: keys.entry(other, 2) },
  ]);
  expect(book.deletions(9)).toEqual([]);
});
