import { describe, expect, it } from 'vitest';
import { toNodeId, toSessionId } from '../../../../src/core/ids.ts';
import { EtcdLocks } from '../../../../src/lock/backends/etcd/etcd-locks.ts';
import { keys } from '../../../../src/lock/backends/etcd/keys.ts';
import { type Lives, startLives } from '../../../../src/lock/backends/etcd/lives.ts';
import type { Locks } from '../../../../src/lock/locks.ts';
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

async function startServer(fake: FakeEtcd, clock: FakeClock): Promise<Server> {
  const etcd = fake.client();
  const lives = await startLives({ etcd, clock, version: '0.0.0', recoveryMs: 0 });
  onCleanup(() => lives.close());
  return { locks: new EtcdLocks(lives), lives, etcd };
}

async function setUp() {
  const [clock, fake] = [createFakeClock(), createFakeEtcd()];
  return { clock, fake, one: await startServer(fake, clock), two: await startServer(fake, clock) };
}

const pull = (node: string) => ({
  type: 'pull' as const,
  resourceId: layer,
  nodeId: toNodeId(node),
  sessionId: toSessionId(node),
});
const join = (locks: Locks, node: string) =>
  locks.openSession({ nodeId: toNodeId(node), sessionId: toSessionId(node) });

describe('a lock server that does not know whether etcd took an entry', () => {
  it('never answers one client with what another one was granted, when etcd refuses the next try', async () => {
    const { clock, one, two } = await setUp();
    await join(one.locks, 'a');
    await join(one.locks, 'b');
    one.etcd.lag(true);
    one.etcd.mishaps('lost-reply', 'refused');
    const asked = one.locks.acquire(pull('a')).catch((error: unknown) => error);
    await clock.advance(500);
    const other = one.locks.acquire(pull('b')).catch((error: unknown) => error);
    await clock.advance(100);
    one.etcd.lag(false);
    await clock.advance(5_000);
    expect(await asked).toMatchObject({ code: 'lock_unreachable' });
    expect(await other).not.toMatchObject({ kind: 'granted' });
    await soon(async () =>
      expect(await two.locks.list({})).toMatchObject([{ resourceId: layer, holder: { nodeId: 'a' } }]),
    );
  });

  it('goes on under a new seat where the first try was done and the second was refused', async () => {
    const { clock, fake, one, two } = await setUp();
    await join(one.locks, 'a');
    one.etcd.mishaps('lost-reply', 'refused');
    await one.locks.acquire(pull('a'));
    await clock.advance(5_000);
    await soon(async () => expect(one.locks.trouble()).toBeUndefined());
    expect(await one.locks.acquire(pull('a'))).toMatchObject({ kind: 'granted' });
    expect(await two.locks.acquire(pull('a'))).toEqual(await one.locks.acquire(pull('a')));
    expect(fake.keys(keys.seats)).toHaveLength(2);
  });
});

describe('an entry that etcd refuses for certain', () => {
  it('costs no server its seat', async () => {
    const { clock, fake, one, two } = await setUp();
    await join(one.locks, 'a');
    const seats = fake.keys(keys.seats);
    one.etcd.mishaps('refused');
    await expect(one.locks.acquire(pull('a'))).rejects.toMatchObject({ code: 'lock_unreachable' });
    expect(await one.locks.acquire(pull('a'))).toMatchObject({ kind: 'granted' });
    await clock.advance(2_000);
    expect(await two.locks.acquire(pull('a'))).toMatchObject({ kind: 'granted' });
    expect(fake.keys(keys.seats)).toEqual(seats);
    expect([one, two].map(({ lives }) => lives.latest().lost.aborted)).toEqual([false, false]);
  });
});

describe('an entry that etcd took although it says that it refused it', () => {
  it('is told to nobody else, and the next one is written', async () => {
    const { clock, one, two } = await setUp();
    await join(one.locks, 'a');
    await join(one.locks, 'b');
    one.etcd.lag(true);
    one.etcd.mishaps('done-and-refused');
    const asked = one.locks.acquire(pull('a')).catch((error: unknown) => error);
    await clock.advance(0);
    const other = one.locks.acquire(pull('b')).catch((error: unknown) => error);
    await clock.advance(0);
    one.etcd.lag(false);
    await clock.advance(0);
    expect(await asked).toMatchObject({ kind: 'granted' });
    expect(await other).toMatchObject({ kind: 'queued' });
    expect(await two.locks.acquire(pull('b'))).toMatchObject({ kind: 'queued' });
  });

  it('keeps no server from letting time pass', async () => {
    const { clock, one, two } = await setUp();
    await two.lives.close();
    await join(one.locks, 'a');
    one.etcd.mishaps('done-and-refused');
    await one.locks.acquire(pull('a')).catch(() => {});
    one.locks.closeSession(toSessionId('nobody')).catch(() => {});
    await clock.advance(40_000);
    expect(one.locks.sessionCount()).toBe(0);
  });
});

describe('the end of a stream that etcd did not hear of in time', () => {
  it('is told once, and not of the stream that follows', async () => {
    const { clock, one } = await setUp();
    await join(one.locks, 'a');
    const listen = async () => {
      const end = new AbortController();
      const events = one.locks.watch(toSessionId('a'), end.signal)[Symbol.asyncIterator]();
      await events.next();
      return { end: () => end.abort(), done: events.next().catch(() => {}) };
    };
    const first = await listen();
    one.etcd.mishaps(...Array<'lost-request'>(60).fill('lost-request'));
    first.end();
    await first.done;
    const { copy } = one.lives.latest();
    const streams = () => copy.cluster.machine.sessions.get(toSessionId('a'))?.streams;
    for (let waitedMs = 0; streams() === 1 && waitedMs < 60_000; waitedMs += 10) await clock.advance(10);
    expect(streams()).toBe(0);
    const second = await listen();
    await clock.advance(3_000);
    expect(streams()).toBe(1);
    second.end();
    await second.done;
  });
});

describe('the seat of a lock server that is gone', () => {
  it('leaves the cluster also when etcd took no entries just as that was told', async () => {
    const { clock, fake, one, two } = await setUp();
    await join(two.locks, 'a');
    await two.locks.acquire(pull('a'));
    const gone = two.lives.latest().seat;
    two.etcd.cutOff(true);
    one.etcd.mishaps(...Array<'lost-request'>(40).fill('lost-request'));
    const asked = one.locks.closeSession(toSessionId('nobody')).catch(() => {});
    await clock.advance(4_000);
    await asked;
    expect(one.locks.trouble()).toContain('etcd takes no entries');
    fake.expire(keys.seat(gone));
    await clock.advance(60_000);
    await soon(async () => expect(one.locks.trouble()).toBeUndefined());
    expect([...one.lives.latest().copy.cluster.seats.keys()]).not.toContain(gone);
    await clock.advance(20_000);
    expect(one.locks.sessionCount()).toBe(0);
  });
});

describe('a lock server that is closed', () => {
  it('waits for no etcd to tell it how things stand', async () => {
    const { clock, fake, one } = await setUp();
    one.etcd.lag(true);
    const before = one.lives.latest().seat;
    fake.expire(keys.seat(before));
    one.lives.latest().lose('its lease ended');
    await clock.advance(1_000);
    expect(fake.keys(keys.seats)).toHaveLength(2);
    const closed = one.lives.close().then(() => 'closed');
    await clock.advance(1_000);
    expect(await Promise.race([closed, soonOver()])).toBe('closed');
    expect(fake.keys(keys.seats)).toHaveLength(1);
  });
});

/** Later than all that is ready to run. */
const soonOver = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve, 'not yet')));

describe('the log of a cluster whose servers start again and again', () => {
  it('is cut also where more seats wrote it than one transaction of etcd has operations', async () => {
    const [clock, fake] = [createFakeClock(), createFakeEtcd()];
    const etcd = fake.client();
    const lives = await startLives({ etcd, clock, version: '0.0.0', recoveryMs: 0, snapshotEvery: 300 });
    onCleanup(() => lives.close());
    for (let life = 0; life < 200; life += 1) {
      const other = await startLives({
        etcd: fake.client(),
        clock,
        version: '0.0.0',
        recoveryMs: 0,
        snapshotEvery: 300,
      });
      await other.close();
    }
    await clock.advance(60_000);
    for (let turn = 0; turn < 3; turn += 1) {
      await join(new EtcdLocks(lives), `node-${turn}`);
      await clock.advance(12_000);
    }
    expect(fake.keys(keys.log).length).toBeLessThan(300);
  });
});
