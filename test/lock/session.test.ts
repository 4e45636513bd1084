import { describe, expect, it, onTestFinished } from 'vitest';
import type { LayerpullError } from '../../src/core/errors.ts';
import { toNodeId, toStoreId } from '../../src/core/ids.ts';
import type { Hold, LayerReply, Place, SessionLocks } from '../../src/lock/locks.ts';
import { openLockSession } from '../../src/lock/session.ts';
import { blobOf } from '../support/blobs.ts';
import { createFakeClock, settle } from '../support/fake-clock.ts';
import { createRestartableLocks } from '../support/restartable-locks.ts';

const layer = blobOf('a layer');
const request = { type: 'pull', resourceId: layer.digest, total: layer.size } as const;
const signal = new AbortController().signal;
const success = { success: true } as const;
const failure = { success: false, error: 'disk full', class: 'node' } as const;

function setUp() {
  const clock = createFakeClock();
  const locks = createRestartableLocks(clock);
  const warnings: LayerpullError[] = [];
  const open = (name: string, onLockFailure: 'fallback' | 'fail' = 'fallback') => {
    const session = openLockSession({
      ...{
        locks,
        clock,
        onLockFailure,
        random: () => 0.5,
        nodeId: toNodeId(name),
        storeId: toStoreId('store'),
      },
      onWarning: (warning) => warnings.push(warning),
    });
    onTestFinished(async () => {
      const closing = session.close();
      await clock.advance(2_000);
      await closing;
    });
    return session;
  };
  return { clock, locks, warnings, open };
}

/** An acquire that may need the clock to go on. */
async function ask(
  session: SessionLocks,
  clock: { advance(ms: number): Promise<void> },
): Promise<LayerReply> {
  const asked = session.acquire(request, signal);
  asked.catch(() => {});
  await clock.advance(0);
  return await asked;
}

function holdOf(reply: LayerReply): Hold {
  if (reply.kind !== 'granted') throw new Error(`expected a grant, got ${reply.kind}`);
  return reply.hold;
}

function placeOf(reply: LayerReply): Place {
  if (reply.kind !== 'queued') throw new Error(`expected a place, got ${reply.kind}`);
  return reply.place;
}

describe('a session in touch with its server', () => {
  it('is opened by its first request and not before', async () => {
    const { clock, locks, open } = setUp();
    const session = open('node-a');
    await clock.advance(10_000);
    expect(locks.calls).toEqual([]);
    expect(holdOf(await ask(session, clock)).token).toBe(1);
  });

  it('tells a waiter its place once, and wakes it when the holder finished', async () => {
    const { clock, open } = setUp();
    const hold = holdOf(await ask(open('node-a'), clock));
    const place = placeOf(await ask(open('node-b'), clock));
    expect(place).toMatchObject({ position: 1, holder: { nodeId: 'node-a' } });
    const next = place.next(signal);
    await clock.advance(3_000);
    await hold.release(success);
    expect(await next).toEqual({ kind: 'ended' });
  });

  it('hands a failed lock to the waiter, who claims it by asking again', async () => {
    const { clock, open } = setUp();
    const second = open('node-b');
    const hold = holdOf(await ask(open('node-a'), clock));
    const place = placeOf(await ask(second, clock));
    await hold.release(failure);
    expect(await place.next(signal)).toEqual({ kind: 'granted', waiters: 0 });
    expect(holdOf(await ask(second, clock)).token).toBe(2);
  });

  it('keeps its lock for as long as it lives', async () => {
    const { clock, open } = setUp();
    const hold = holdOf(await ask(open('node-a'), clock));
    await clock.advance(600_000);
    expect(hold.revoked.aborted).toBe(false);
    expect(placeOf(await ask(open('node-b'), clock)).position).toBe(1);
  });

  it('frees what it holds when it is closed', async () => {
    const { clock, open } = setUp();
    const first = open('node-a');
    holdOf(await ask(first, clock));
    const place = placeOf(await ask(open('node-b'), clock));
    await first.close();
    expect(await place.next(signal)).toMatchObject({ kind: 'granted' });
  });

  it('leaves the queue when its waiter gives up', async () => {
    const { clock, locks, open } = setUp();
    holdOf(await ask(open('node-a'), clock));
    const place = placeOf(await ask(open('node-b'), clock));
    const abort = new AbortController();
    const next = place.next(abort.signal);
    abort.abort(new Error('enough'));
    await expect(next).rejects.toThrow('enough');
    await settle();
    expect(await locks.list({})).toMatchObject([{ queue: [] }]);
  });
});

describe('a session whose line breaks', () => {
  it('wakes a waiter that was answered while its stream was broken', async () => {
    const { clock, locks, open } = setUp();
    const hold = holdOf(await ask(open('node-a'), clock));
    const place = placeOf(await ask(open('node-b'), clock));
    const next = place.next(signal);
    locks.breakStreams();
    await hold.release(success);
    await clock.advance(1_000);
    expect(await next).toEqual({ kind: 'ended' });
  });

  it('keeps locks and places, in order, over a restart of the server', async () => {
    const { clock, locks, open } = setUp();
    const [a, b, c] = [open('node-a'), open('node-b'), open('node-c')];
    const hold = holdOf(await ask(a, clock));
    const second = placeOf(await ask(b, clock));
    const third = placeOf(await ask(c, clock));
    await locks.restart();
    await clock.advance(3_000);
    expect(hold.revoked.aborted).toBe(false);
    const [resource] = await locks.list({});
    expect(resource?.holder).toMatchObject({ nodeId: 'node-a', token: 1 });
    expect(resource?.queue).toMatchObject([{ nodeId: 'node-b' }, { nodeId: 'node-c' }]);
    await hold.release(failure);
    expect(await second.next(signal)).toMatchObject({ kind: 'granted' });
    expect(holdOf(await ask(b, clock)).token).toBeGreaterThan(1);
    await clock.advance(1_500);
    expect(await third.next(signal)).toMatchObject({ kind: 'moved', position: 1 });
  });

  it('lets a holder go on when the server is gone', async () => {
    const { clock, locks, open } = setUp();
    const hold = holdOf(await ask(open('node-a'), clock));
    locks.cut();
    await clock.advance(60_000);
    expect(hold.revoked.aborted).toBe(false);
  });

  it('tells a holder that the lock went to another', async () => {
    const { clock, locks, open } = setUp();
    const hold = holdOf(await ask(open('node-a'), clock));
    locks.cut();
    await clock.advance(1_000);
    await locks.restart();
    locks.mend();
    const other = await locks.openSession({ nodeId: toNodeId('node-x'), storeId: toStoreId('store') });
    const stolen = locks.acquire({ ...request, nodeId: toNodeId('node-x'), sessionId: other.sessionId });
    locks.cut();
    await clock.advance(1_500);
    expect(await stolen).toMatchObject({ kind: 'granted' });
    locks.mend();
    await clock.advance(6_000);
    expect(hold.revoked.aborted).toBe(true);
  });

  it('lets a release reach a server that comes back within seconds', async () => {
    const { clock, locks, open } = setUp();
    const hold = holdOf(await ask(open('node-a'), clock));
    const place = placeOf(await ask(open('node-b'), clock));
    locks.cut();
    const releasing = hold.release(success);
    await clock.advance(1_000);
    locks.mend();
    await clock.advance(1_000);
    await releasing;
    expect(await place.next(signal)).toEqual({ kind: 'ended' });
  });
});

describe('a session without a server', () => {
  it('goes on alone after one warning', async () => {
    const { clock, locks, warnings, open } = setUp();
    locks.cut();
    const session = open('node-a');
    for (let round = 0; round < 2; round += 1) {
      const hold = holdOf(await ask(session, clock));
      expect(hold.token).toBeUndefined();
      await hold.release(success);
    }
    expect(warnings.map((warning) => warning.code)).toEqual(['lock_unreachable']);
  });

  it('fails when it must not go on alone', async () => {
    const { clock, locks, open } = setUp();
    locks.cut();
    const session = open('node-a', 'fail');
    await expect(ask(session, clock)).rejects.toMatchObject({ code: 'lock_unreachable', exitCode: 7 });
  });

  it('coordinates again once a heartbeat succeeds', async () => {
    const { clock, locks, open } = setUp();
    locks.cut();
    const session = open('node-a');
    await holdOf(await ask(session, clock)).release(success);
    locks.mend();
    await clock.advance(6_000);
    expect(holdOf(await ask(session, clock)).token).toBe(1);
  });

  it('wakes its waiters after five seconds out of reach', async () => {
    const { clock, locks, warnings, open } = setUp();
    holdOf(await ask(open('node-a'), clock));
    const second = open('node-b');
    const place = placeOf(await ask(second, clock));
    const next = place.next(signal);
    locks.cut();
    await clock.advance(7_000);
    expect(await next).toEqual({ kind: 'ended' });
    expect(holdOf(await ask(second, clock)).token).toBeUndefined();
    expect(warnings.length).toBeGreaterThan(0);
  });
});
