import { describe, expect, it } from 'vitest';
import { deferred } from '../../src/core/abort.ts';
import { LayerpullError } from '../../src/core/errors.ts';
import { toNodeId, toStoreId } from '../../src/core/ids.ts';
import type { SessionInfo } from '../../src/lock/locks.ts';
import { settle } from '../support/fake-clock.ts';
import {
  createSessionStage,
  failure,
  holdOf,
  layerRequest,
  never,
  placeOf,
  success,
} from '../support/session-stage.ts';

describe('a session in touch with its server', () => {
  it('is opened by its first request and not before', async () => {
    const { clock, locks, open, ask } = createSessionStage();
    const session = open('node-a');
    await clock.advance(10_000);
    expect(locks.calls).toEqual([]);
    expect(holdOf(await ask(session)).token).toBe(1);
  });

  it('tells a waiter its place once, and wakes it when the holder finished', async () => {
    const { clock, open, ask } = createSessionStage();
    const hold = holdOf(await ask(open('node-a')));
    const place = placeOf(await ask(open('node-b')));
    expect(place).toMatchObject({ position: 1, holder: { nodeId: 'node-a' } });
    const next = place.next(never);
    await clock.advance(3_000);
    await hold.release(success);
    expect(await next).toEqual({ kind: 'ended' });
  });

  it('hands a failed lock to the waiter, who claims it by asking again', async () => {
    const { open, ask } = createSessionStage();
    const second = open('node-b');
    const hold = holdOf(await ask(open('node-a')));
    const place = placeOf(await ask(second));
    await hold.release(failure);
    expect(await place.next(never)).toEqual({ kind: 'granted', waiters: 0 });
    expect(holdOf(await ask(second)).token).toBe(2);
  });

  it('keeps its lock for as long as it lives', async () => {
    const { clock, open, ask } = createSessionStage();
    const hold = holdOf(await ask(open('node-a')));
    await clock.advance(600_000);
    expect(hold.revoked.aborted).toBe(false);
    expect(placeOf(await ask(open('node-b'))).position).toBe(1);
  });

  it('frees what it holds when it is closed', async () => {
    const { open, ask } = createSessionStage();
    const first = open('node-a');
    holdOf(await ask(first));
    const place = placeOf(await ask(open('node-b')));
    await first.close();
    expect(await place.next(never)).toMatchObject({ kind: 'granted' });
  });

  it('leaves the queue when its waiter gives up', async () => {
    const { locks, open, ask } = createSessionStage();
    holdOf(await ask(open('node-a')));
    const place = placeOf(await ask(open('node-b')));
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
    const { clock, locks, open, ask } = createSessionStage();
    const hold = holdOf(await ask(open('node-a')));
    const place = placeOf(await ask(open('node-b')));
    const next = place.next(never);
    locks.breakStreams();
    await hold.release(success);
    await clock.advance(1_000);
    expect(await next).toEqual({ kind: 'ended' });
  });

  it('keeps locks and places, in order, over a restart of the server', async () => {
    const { clock, locks, open, ask } = createSessionStage();
    const [a, b, c] = [open('node-a'), open('node-b'), open('node-c')];
    const hold = holdOf(await ask(a));
    const second = placeOf(await ask(b));
    const third = placeOf(await ask(c));
    await locks.restart();
    await clock.advance(3_000);
    expect(hold.revoked.aborted).toBe(false);
    const [resource] = await locks.list({});
    expect(resource?.holder).toMatchObject({ nodeId: 'node-a', token: 1 });
    expect(resource?.queue).toMatchObject([{ nodeId: 'node-b' }, { nodeId: 'node-c' }]);
    await hold.release(failure);
    expect(await second.next(never)).toMatchObject({ kind: 'granted' });
    expect(holdOf(await ask(b)).token).toBeGreaterThan(1);
    await clock.advance(1_500);
    expect(await third.next(never)).toMatchObject({ kind: 'moved', position: 1 });
  });

  it('lets a holder go on when the server is gone', async () => {
    const { clock, locks, open, ask } = createSessionStage();
    const hold = holdOf(await ask(open('node-a')));
    locks.cut();
    await clock.advance(60_000);
    expect(hold.revoked.aborted).toBe(false);
  });

  it('tells a holder that the lock went to another', async () => {
    const { clock, locks, open, ask } = createSessionStage();
    const hold = holdOf(await ask(open('node-a')));
    locks.cut();
    await clock.advance(1_000);
    await locks.restart();
    locks.mend();
    const other = await locks.openSession({ nodeId: toNodeId('node-x'), storeId: toStoreId('store') });
    const stolen = locks.acquire({ ...layerRequest, nodeId: toNodeId('node-x'), sessionId: other.sessionId });
    locks.cut();
    await clock.advance(1_500);
    expect(await stolen).toMatchObject({ kind: 'granted' });
    locks.mend();
    await clock.advance(6_000);
    expect(hold.revoked.aborted).toBe(true);
  });

  it('lets a release reach a server that comes back within seconds', async () => {
    const { clock, locks, open, ask } = createSessionStage();
    const hold = holdOf(await ask(open('node-a')));
    const place = placeOf(await ask(open('node-b')));
    locks.cut();
    const releasing = hold.release(success);
    await clock.advance(1_000);
    locks.mend();
    await clock.advance(1_000);
    await releasing;
    expect(await place.next(never)).toEqual({ kind: 'ended' });
  });
});

describe('a release that the server does not hear', () => {
  /** Whether it is over by then. */
  const watched = (releasing: Promise<void>) => {
    const state = { isOver: false };
    void releasing.then(() => {
      state.isOver = true;
    });
    return state;
  };

  it('holds up nobody where nobody waits for it, and is told once the server is back', async () => {
    const { clock, locks, open, ask } = createSessionStage();
    const session = open('node-a');
    const hold = holdOf(await ask(session));
    locks.cut();
    const first = watched(hold.release(success));
    await clock.advance(1_000);
    expect(first.isOver).toBe(true);
    locks.mend();
    await clock.advance(1_000);
    expect(await ask(open('node-b'))).toMatchObject({ kind: 'skip' });
  });

  it('holds up nobody for a moment where contact was lost before', async () => {
    const { clock, locks, open, ask } = createSessionStage();
    const hold = holdOf(await ask(open('node-a')));
    locks.cut();
    await clock.advance(2_000);
    const late = watched(hold.release(success));
    await clock.advance(1);
    expect(late.isOver).toBe(true);
  });

  it('is told for as long as the bounds allow where others of the store wait', async () => {
    const { clock, locks, open, ask } = createSessionStage();
    const hold = holdOf(await ask(open('node-a')));
    await ask(open('node-b'));
    hold.progress(1);
    await clock.advance(2_000);
    locks.cut();
    const awaited = watched(hold.release(success));
    await clock.advance(4_000);
    expect(awaited.isOver).toBe(false);
    await clock.advance(1_000);
    expect(awaited.isOver).toBe(true);
  });

  it('keeps the next request of the session for the same layer behind it', async () => {
    const { clock, locks, open, ask } = createSessionStage();
    const session = open('node-a');
    const hold = holdOf(await ask(session));
    locks.cut();
    await clock.advance(2_000);
    const releasing = hold.release(success);
    await clock.advance(1);
    await releasing;
    const behind = placeOf(await ask(session));
    locks.mend();
    await clock.advance(1_000);
    expect(await behind.next(never)).toEqual({ kind: 'ended' });
    expect(await ask(session)).toMatchObject({ kind: 'skip' });
  });

  it('is given up when the session is closed', async () => {
    const { clock, locks, open, ask } = createSessionStage();
    const session = open('node-a');
    const hold = holdOf(await ask(session));
    locks.cut();
    void hold.release(success);
    const closing = session.close();
    await clock.advance(1_000);
    await closing;
    const releases = () => locks.calls.filter((call) => call === 'release').length;
    const before = releases();
    locks.mend();
    await clock.advance(5_000);
    expect(releases()).toBe(before);
  });
});

describe('a session without a server', () => {
  it('goes on alone after one warning', async () => {
    const { locks, warnings, open, ask } = createSessionStage();
    locks.cut();
    const session = open('node-a');
    for (let round = 0; round < 2; round += 1) {
      const hold = holdOf(await ask(session));
      expect(hold.token).toBeUndefined();
      await hold.release(success);
    }
    expect(warnings.map((warning) => warning.code)).toEqual(['lock_unreachable']);
  });

  it.each([
    [{}, 'the lock server did not answer within 3 s'],
    [{ serverName: 'the agent of the store' }, 'the agent of the store did not answer within 3 s'],
  ])('names whoever says nothing: %o', async (named, message) => {
    const { clock, locks, warnings, open } = createSessionStage();
    const silent = { ...locks, openSession: () => deferred<SessionInfo>().promise };
    const asked = open('node-a', { locks: silent, ...named }).acquire(layerRequest, never);
    await clock.advance(3_000);
    expect((await asked).kind).toBe('granted');
    expect(warnings.map((warning) => warning.message)).toEqual([message]);
  });

  it('tells what the server said when it was asked in vain until the bound was over', async () => {
    const { clock, locks, warnings, open } = createSessionStage();
    const refusing: typeof locks = {
      ...locks,
      openSession: (_request, _signal, onRefusal) => {
        for (const said of ['not yet', 'no room']) onRefusal?.(new LayerpullError('lock_unreachable', said));
        return deferred<SessionInfo>().promise;
      },
    };
    const asked = open('node-a', { locks: refusing }).acquire(layerRequest, never);
    await clock.advance(3_000);
    expect((await asked).kind).toBe('granted');
    expect(warnings.map((warning) => warning.message)).toEqual(['no room']);
  });

  it('fails when it must not go on alone', async () => {
    const { locks, open, ask } = createSessionStage();
    locks.cut();
    const session = open('node-a', { onLockFailure: 'fail' });
    await expect(ask(session)).rejects.toMatchObject({ code: 'lock_unreachable', exitCode: 7 });
  });

  it('coordinates again once a heartbeat succeeds', async () => {
    const { clock, locks, open, ask } = createSessionStage();
    locks.cut();
    const session = open('node-a');
    await holdOf(await ask(session)).release(success);
    locks.mend();
    await clock.advance(6_000);
    expect(holdOf(await ask(session)).token).toBe(1);
  });

  it('wakes its waiters after five seconds out of reach', async () => {
    const { clock, locks, warnings, open, ask } = createSessionStage();
    holdOf(await ask(open('node-a')));
    const second = open('node-b');
    const place = placeOf(await ask(second));
    const next = place.next(never);
    locks.cut();
    await clock.advance(7_000);
    expect(await next).toEqual({ kind: 'ended' });
    expect(holdOf(await ask(second)).token).toBeUndefined();
    expect(warnings.length).toBeGreaterThan(0);
  });
});
