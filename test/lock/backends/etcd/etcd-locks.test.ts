import { describe, expect, it } from 'vitest';
import { toNodeId, toSessionId } from '../../../../src/core/ids.ts';
import { type Log, silentLog } from '../../../../src/core/log.ts';
import { EtcdLocks } from '../../../../src/lock/backends/etcd/etcd-locks.ts';
import { keys } from '../../../../src/lock/backends/etcd/keys.ts';
import { type Lives, startLives } from '../../../../src/lock/backends/etcd/lives.ts';
import type { Locks, SessionEvent } from '../../../../src/lock/locks.ts';
import { layer } from '../../../conformance/locks/layers.ts';
import { onCleanup } from '../../../support/cleanup.ts';
import { createFakeClock, type FakeClock } from '../../../support/fake-clock.ts';
import { createFakeEtcd, type FakeEtcd, type FakeEtcdClient } from '../../../support/fake-etcd.ts';
import { soon } from '../../../support/soon.ts';

interface Server {
  readonly locks: EtcdLocks;
  readonly lives: Lives;
  readonly etcd: FakeEtcdClient;
}

async function startServers(
  count: number,
  fake: FakeEtcd,
  clock: FakeClock,
  log: Log = silentLog,
): Promise<Server[]> {
  const servers: Server[] = [];
  for (let index = 0; index < count; index += 1) {
    const etcd = fake.client();
    const lives = await startLives({ etcd, clock, log, version: '0.0.0', recoveryMs: 0 });
    onCleanup(() => lives.close());
    servers.push({ locks: new EtcdLocks(lives), lives, etcd });
  }
  return servers;
}

async function setUp() {
  const clock = createFakeClock();
  const fake = createFakeEtcd();
  const [one, two, three] = await startServers(3, fake, clock);
  if (!one || !two || !three) throw new Error('three servers');
  return { clock, fake, one, two, three };
}

const pull = (node: string) => ({
  type: 'pull' as const,
  resourceId: layer,
  nodeId: toNodeId(node),
  sessionId: toSessionId(node),
});
const join = (locks: Locks, node: string) =>
  locks.openSession({ nodeId: toNodeId(node), sessionId: toSessionId(node) });

describe('several lock servers over etcd', () => {
  it('know the same sessions, locks and places', async () => {
    const { one, two, three } = await setUp();
    await join(one.locks, 'a');
    await join(two.locks, 'b');
    expect(await one.locks.acquire(pull('a'))).toMatchObject({ kind: 'granted' });
    expect(await three.locks.acquire(pull('b'))).toMatchObject({
      kind: 'queued',
      position: 1,
      holder: { nodeId: 'a' },
    });
    const views = await Promise.all([one, two, three].map(({ locks }) => locks.list({})));
    expect(views[1]).toEqual(views[0]);
    expect(views[2]).toEqual(views[0]);
  });

  it('tell a waiter at one what a holder did at another', async () => {
    const { one, two } = await setUp();
    await join(one.locks, 'a');
    await join(two.locks, 'b');
    await one.locks.acquire(pull('a'));
    const events = two.locks.watch(toSessionId('b'), new AbortController().signal)[Symbol.asyncIterator]();
    await events.next();
    await two.locks.acquire(pull('b'));
    await one.locks.release({ ...pull('a'), outcome: { success: true } });
    const kinds: (SessionEvent['kind'] | undefined)[] = [];
    while (kinds.at(-1) !== 'completed') kinds.push((await events.next()).value?.kind);
    expect(kinds).toEqual(['queued', 'completed']);
    await events.return?.(undefined);
  });

  it('say of a node that another one hears that it was there lately', async () => {
    const { clock, one, two } = await setUp();
    await join(one.locks, 'a');
    for (let passedMs = 0; passedMs < 60_000; passedMs += 2_000) {
      await clock.advance(2_000);
      await one.locks.renew(toSessionId('a'), { held: [] });
    }
    expect(await one.locks.nodes()).toMatchObject([{ nodeId: 'a', state: 'online', lastSeenMs: 0 }]);
    expect(await two.locks.nodes()).toMatchObject([{ nodeId: 'a', state: 'online', lastSeenMs: 6_000 }]);
  });

  it('do a request once whose answer from etcd was lost', async () => {
    const { clock, fake, one, two } = await setUp();
    await join(one.locks, 'a');
    const before = fake.keys(keys.log).length;
    one.etcd.mishaps('lost-reply', 'lost-request');
    const asked = one.locks.acquire(pull('a'));
    await clock.advance(200);
    expect(await asked).toMatchObject({ kind: 'granted' });
    expect(fake.keys(keys.log)).toHaveLength(before + 1);
    expect((await two.locks.list({})).map(({ queue }) => queue)).toEqual([[]]);
  });

  it('answer 503 while etcd is away, and go on when it is back', async () => {
    const { clock, one } = await setUp();
    await join(one.locks, 'a');
    one.etcd.cutOff(true);
    const asked = one.locks.acquire(pull('a')).catch((error: unknown) => error);
    await clock.advance(3_500);
    expect(await asked).toMatchObject({ code: 'lock_unreachable' });
    expect(one.locks.trouble()).toContain('etcd');
    one.etcd.cutOff(false);
    await clock.advance(2_000);
    await soon(async () => expect(one.locks.trouble()).toBeUndefined());
    expect(await one.locks.acquire(pull('a'))).toMatchObject({ kind: 'granted' });
  });

  it('break the streams of those who listen while etcd is away, and count none of them twice', async () => {
    const { clock, one, two } = await setUp();
    await join(one.locks, 'a');
    const listen = () =>
      one.locks.watch(toSessionId('a'), new AbortController().signal)[Symbol.asyncIterator]();
    const before = listen();
    await before.next();
    one.etcd.cutOff(true);
    const broken = expect(before.next()).rejects.toMatchObject({ code: 'lock_unreachable' });
    await clock.advance(8_000);
    await broken;
    one.etcd.cutOff(false);
    await clock.advance(3_000);
    const streams = () => two.lives.latest().copy.cluster.machine.sessions.get(toSessionId('a'))?.streams;
    await soon(async () => expect(streams()).toBe(0));
    await listen().next();
    await soon(async () => expect(streams()).toBe(1));
  });

  it('say why etcd refuses what they write, and go on by themselves once it takes it', async () => {
    const { clock, one } = await setUp();
    await join(one.locks, 'a');
    one.etcd.mishaps(...Array<'refused'>(5).fill('refused'));
    await expect(one.locks.acquire(pull('a'))).rejects.toMatchObject({
      code: 'lock_unreachable',
      message: 'etcd takes no entries',
    });
    await clock.advance(3_500);
    expect(one.locks.trouble()).toBe('etcd takes no entries: etcd has no space left');
    await clock.advance(3_000);
    expect(one.locks.trouble()).toBeUndefined();
    expect(await one.locks.acquire(pull('a'))).toMatchObject({ kind: 'granted' });
  });

  it('break the streams of one that lost its lease, which comes back under another seat', async () => {
    const { clock, fake, one, two } = await setUp();
    await join(one.locks, 'a');
    const { value } = await one.locks.acquire(pull('a')).then((granted) => ({ value: granted }));
    const events = one.locks.watch(toSessionId('a'), new AbortController().signal)[Symbol.asyncIterator]();
    await events.next();
    const [first] = fake.keys(keys.seats);
    const seats = fake.keys(keys.seats);
    fake.expire(keys.seats);
    await expect(events.next()).rejects.toMatchObject({ code: 'lock_unreachable' });
    await clock.advance(5_000);
    await soon(async () => expect(fake.keys(keys.seats)).toHaveLength(seats.length));
    expect(fake.keys(keys.seats)).not.toContain(first);
    await soon(async () => expect(await two.locks.acquire(pull('a'))).toEqual(value));
  });

  it('say once that they lost their place and cannot join, and once that they did', async () => {
    const clock = createFakeClock();
    const fake = createFakeEtcd();
    const said: string[] = [];
    const note = (_: object, message: string) => void said.push(message);
    const log: Log = { ...silentLog, info: note, warn: note, error: note };
    const [one] = await startServers(1, fake, clock, log);
    if (!one) throw new Error('no server');
    await join(one.locks, 'a');
    expect(said).toEqual([]);
    one.etcd.cutOff(true);
    one.lives.latest().lose('its lease ended');
    await expect(join(one.locks, 'b')).rejects.toMatchObject({ code: 'lock_unreachable' });
    await clock.advance(20_000);
    expect(one.locks.trouble()).toBe('no member of etcd answers');
    one.etcd.cutOff(false);
    await clock.advance(5_000);
    await soon(async () => expect(one.locks.trouble()).toBeUndefined());
    expect(said).toEqual([
      'this lock server lost its place among the others',
      'this lock server cannot join the others yet, and tries again',
      'this lock server has its place among the others again',
    ]);
  });

  it('catch up behind a compaction without a new seat while the entries are still there', async () => {
    const { clock, fake, one, two } = await setUp();
    const seats = fake.keys(keys.seats);
    await join(one.locks, 'a');
    two.etcd.cutOff(true);
    await one.locks.acquire(pull('a'));
    fake.compact();
    two.etcd.cutOff(false);
    await clock.advance(1_000);
    await soon(async () =>
      expect(await two.locks.list({})).toMatchObject([{ resourceId: layer, holder: { nodeId: 'a' } }]),
    );
    expect(fake.keys(keys.seats)).toEqual(seats);
  });

  it('do nothing more from what they know once etcd told them nothing of an entry, and read all anew', async () => {
    const { clock, one, two } = await setUp();
    await join(one.locks, 'a');
    await two.locks.closeSession(toSessionId('nobody'));
    const life = two.lives.latest();
    two.etcd.loseEvent();
    const granted = await one.locks.acquire(pull('a'));
    const before = life.copy.cluster.check;
    await one.locks.closeSession(toSessionId('nobody'));
    await soon(async () => expect(life.lost.aborted).toBe(true));
    expect(life.copy.cluster.check).toBe(before);
    await clock.advance(3_000);
    await soon(async () => expect(await two.locks.acquire(pull('a'))).toEqual(granted));
  });

  it('take a new seat when one of them came to something else than the others', async () => {
    const { clock, fake, one, two } = await setUp();
    await join(one.locks, 'a');
    await two.locks.list({});
    // As a fault of its memory would.
    two.lives.latest().copy.cluster.check += 1;
    const seats = fake.keys(keys.seats);
    for (let turn = 0; turn < 4; turn += 1) {
      await one.locks.acquire(pull('a')).catch(() => {});
      await two.locks.closeSession(toSessionId('nobody')).catch(() => {});
    }
    await clock.advance(3_000);
    await soon(async () =>
      expect(fake.keys(keys.seats).filter((key) => seats.includes(key)).length).toBeLessThan(3),
    );
  });
});
