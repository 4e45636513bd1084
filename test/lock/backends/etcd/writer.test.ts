import { describe, expect, it } from 'vitest';
import { toSessionId } from '../../../../src/core/ids.ts';
import { silentLog } from '../../../../src/core/log.ts';
import { keys } from '../../../../src/lock/backends/etcd/keys.ts';
import { Outage } from '../../../../src/lock/backends/etcd/outage.ts';
import type { ClusterCommand } from '../../../../src/lock/backends/etcd/replica/cluster.ts';
import { toSeatId } from '../../../../src/lock/backends/etcd/replica/cluster.ts';
import { createRequest, type Request } from '../../../../src/lock/backends/etcd/requests.ts';
import { EntryWriter } from '../../../../src/lock/backends/etcd/writer.ts';
import { createFakeClock } from '../../../support/fake-clock.ts';
import { createFakeEtcd } from '../../../support/fake-etcd.ts';

const seat = toSeatId('seat');

/** A writer of a seat that is there, and what became of the seat. */
function setUp(checked = { revision: 0, check: 0 }) {
  const clock = createFakeClock();
  const fake = createFakeEtcd();
  const etcd = fake.client();
  fake.put(keys.seat(seat), '');
  const lost: string[] = [];
  const end = new AbortController();
  const writer = new EntryWriter({
    ...{ etcd, clock, seat, seatRevision: fake.revision(), signal: end.signal },
    outage: new Outage({ clock, log: silentLog, patienceMs: 3_000 }),
    timeNow: () => 1_000,
    checked: () => checked,
    goAlong: () => [],
    onLost: (why) => void lost.push(why),
  });
  const entries = () => fake.keys(keys.log).map((key) => String(fake.get(key)));
  return { clock, fake, etcd, writer, lost, entries };
}

const close = (name: string): ClusterCommand => ({ kind: 'close-session', sessionId: toSessionId(name) });
const ask = (name: string): Request => createRequest(close(name), 0);
const errorOf = ({ answer }: Request) => answer.promise.catch((error: unknown) => error);

describe('what one server writes', () => {
  it.each([
    ['never arrived', 'lost-request'],
    ['was done and not answered', 'lost-reply'],
  ] as const)('is there once when a try %s', async (_, mishap) => {
    const { clock, etcd, writer, entries } = setUp();
    const request = ask('a');
    etcd.mishaps(mishap, mishap, mishap);
    writer.add(request);
    await clock.advance(2_000);
    expect(entries()).toHaveLength(1);
    expect(writer.take(1)).toEqual([request]);
    expect(writer.take(1)).toEqual([]);
    expect(writer.isIdle).toBe(true);
  });

  it('goes together where it comes while something is on its way', async () => {
    const { clock, writer, entries } = setUp();
    writer.add(ask('a'));
    await Promise.resolve();
    for (const name of ['b', 'c', 'd']) writer.add(ask(name));
    await clock.advance(0);
    expect(entries().map((text) => JSON.parse(text).commands.length)).toEqual([1, 3]);
    expect([writer.take(1).length, writer.take(2).length]).toEqual([1, 3]);
  });

  it('costs the seat where it may be done and etcd refuses to say', async () => {
    const { clock, etcd, writer, lost, entries } = setUp();
    const request = ask('a');
    etcd.mishaps('lost-reply', 'refused');
    writer.add(request);
    await clock.advance(2_000);
    expect(lost).toEqual(['etcd refused to say what became of an entry']);
    expect(await errorOf(request)).toMatchObject({ code: 'lock_unreachable' });
    expect(entries()).toHaveLength(1);
  });

  it('costs the seat where etcd is not as far as it was, for nothing would be told of what is written', async () => {
    const { clock, writer, lost } = setUp({ revision: 1_000, check: 0 });
    const request = ask('a');
    writer.add(request);
    await clock.advance(0);
    expect(lost).toEqual(['etcd went back to an older state']);
    expect(await errorOf(request)).toMatchObject({ code: 'lock_unreachable' });
  });

  it('leaves its number to the next where etcd refused it', async () => {
    const { clock, etcd, writer, entries } = setUp();
    const [first, second] = [ask('a'), ask('b')];
    etcd.mishaps('refused');
    writer.add(first);
    expect(await errorOf(first)).toMatchObject({
      code: 'lock_unreachable',
      message: 'etcd takes no entries',
    });
    writer.add(second);
    await clock.advance(0);
    expect(entries().map((text) => JSON.parse(text).commands)).toEqual([[close('b')]]);
    expect(writer.take(1)).toEqual([second]);
  });

  it('counts as done where it is there although etcd says that it refused it', async () => {
    const { clock, etcd, writer, lost, entries } = setUp();
    const [first, second] = [ask('a'), ask('b')];
    etcd.mishaps('done-and-refused');
    writer.add(first);
    await clock.advance(0);
    writer.add(second);
    await clock.advance(0);
    expect(entries().map((text) => JSON.parse(text).commands)).toEqual([[close('a')], [close('b')]]);
    expect([writer.take(1), writer.take(2)]).toEqual([[first], [second]]);
    expect([lost, writer.isIdle]).toEqual([[], true]);
  });

  it('is tried again where etcd says that it refused it, and no more', async () => {
    const { clock, etcd, writer, lost, entries } = setUp();
    const [first, second] = [ask('a'), ask('b')];
    etcd.mishaps('done-and-refused');
    etcd.loseLists(1);
    writer.add(first);
    await clock.advance(500);
    writer.add(second);
    await clock.advance(500);
    expect(entries().map((text) => JSON.parse(text).commands)).toEqual([[close('a')], [close('b')]]);
    expect([writer.take(1), writer.take(2), lost]).toEqual([[first], [second], []]);
  });

  it('counts as done where a snapshot took the entry before the second try', async () => {
    const { clock, fake, etcd, writer, lost } = setUp();
    const request = ask('a');
    etcd.mishaps('lost-reply');
    writer.add(request);
    await clock.advance(0);
    const range = { kind: 'delete-range', from: keys.log, to: `${keys.log}\u{7f}` } as const;
    await fake.client().transact({ compare: [], success: [range] });
    await clock.advance(1_000);
    expect(lost).toEqual([]);
    expect(writer.take(1)).toEqual([request]);
  });

  it('is refused once the seat is gone', async () => {
    const { clock, fake, etcd, writer, lost, entries } = setUp();
    const gone = { kind: 'delete', key: keys.seat(seat) } as const;
    await fake.client().transact({ compare: [], success: [gone] });
    // Another life of a server that had the same id is another seat.
    fake.put(keys.seat(seat), '');
    const request = ask('a');
    etcd.mishaps('lost-request');
    writer.add(request);
    await clock.advance(1_000);
    expect(await errorOf(request)).toMatchObject({ code: 'lock_unreachable', retryAfterMs: 1_000 });
    expect([lost, entries()]).toEqual([['its seat is gone'], []]);
  });

  it('is split where it is too much for one request to etcd', async () => {
    const { clock, writer, entries } = setUp();
    const large = Array.from({ length: 5 }, (_, index) => ask(`${index}`.repeat(200_000)));
    for (const request of large) writer.add(request);
    await clock.advance(0);
    expect(entries().map((text) => JSON.parse(text).commands.length)).toEqual([2, 2, 1]);
    expect([1, 2, 3].flatMap((seq) => writer.take(seq))).toEqual(large);
  });

  it('is given up for whoever waited too long, and done all the same if etcd comes back', async () => {
    const { clock, etcd, writer, entries } = setUp();
    const [onItsWay, inLine] = [ask('a'), ask('b')];
    etcd.cutOff(true);
    writer.add(onItsWay);
    await clock.advance(100);
    writer.add(inLine);
    writer.giveUp(1, () => new Error('too late'));
    expect(await errorOf(onItsWay)).toEqual(new Error('too late'));
    expect(await errorOf(inLine)).toEqual(new Error('too late'));
    etcd.cutOff(false);
    await clock.advance(2_000);
    expect(entries().map((text) => JSON.parse(text).commands)).toEqual([[close('a')]]);
  });
});
