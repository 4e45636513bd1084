import { describe, expect, it } from 'vitest';
import { toNodeId, toStoreId } from '../../src/core/ids.ts';
import {
  createSessionStage,
  failure,
  holdOf,
  layerRequest,
  never,
  placeOf,
  success,
} from '../support/session-stage.ts';

const reason = new Error('enough');

describe('a session whose server is gone', () => {
  it('asks for it less often than once a second, and stream and heartbeat not in step with others', async () => {
    const { clock, locks, open, ask } = createSessionStage();
    let drawn = 0;
    const random = () => {
      drawn += 1;
      return (drawn * 0.37) % 1;
    };
    holdOf(await ask(open('node-a', { random })));
    locks.cut();
    await clock.advance(10_000);
    const before = locks.calls.length;
    await clock.advance(120_000);
    expect(locks.calls.length - before).toBeLessThan(60);
    expect(locks.calls.length - before).toBeGreaterThan(20);
    expect(drawn).toBeGreaterThan(20);
  });

  it('is out of reach after five seconds, also when it hears and never answers', async () => {
    const { clock, locks, warnings, open, ask } = createSessionStage();
    holdOf(await ask(open('node-a')));
    const place = placeOf(await ask(open('node-b')));
    const woken = place.next(never).then(() => clock.now());
    locks.hang();
    const hungMs = clock.now();
    await clock.advance(20_000);
    expect(warnings.map(({ code }) => code)).toContain('lock_unreachable');
    // The next heartbeat is due within five seconds and a half; five seconds later the bound is reached.
    expect((await woken) - hungMs).toBeLessThanOrEqual(11_500);
  });

  it('gives up the first contact when its bound is over', async () => {
    const { clock, locks, open } = createSessionStage();
    locks.hang();
    const asked = open('node-a', { bounds: { firstContactMs: 700 } }).acquire(layerRequest, never);
    await clock.advance(699);
    expect(locks.calls).toEqual(['openSession']);
    await clock.advance(1);
    expect(holdOf(await asked).token).toBeUndefined();
    expect(clock.now()).toBe(700);
  });
});

describe('a request that is cancelled', () => {
  it('ends at once while the session is opened', async () => {
    const { locks, open } = createSessionStage();
    locks.hang();
    const stop = new AbortController();
    const asked = open('node-a').acquire(layerRequest, stop.signal);
    stop.abort(reason);
    await expect(asked).rejects.toBe(reason);
  });

  it('ends at once while the lock is asked for, and leaves nothing behind', async () => {
    const { clock, locks, open, ask } = createSessionStage();
    const session = open('node-a');
    await holdOf(await ask(session)).release(failure);
    const stop = new AbortController();
    locks.loseReplies('acquire');
    const asked = session.acquire(layerRequest, stop.signal);
    await clock.advance(0);
    expect((await locks.list({}))[0]?.holder?.nodeId).toBe('node-a');
    stop.abort(reason);
    await expect(asked).rejects.toBe(reason);
    await clock.advance(0);
    expect(await locks.list({})).toEqual([]);
  });

  it('ends at once between two tries', async () => {
    const { clock, locks, open, ask } = createSessionStage();
    const session = open('node-a');
    await holdOf(await ask(session)).release(failure);
    locks.cut();
    const stop = new AbortController();
    const asked = session.acquire(layerRequest, stop.signal);
    asked.catch(() => {});
    await clock.advance(50);
    stop.abort(reason);
    await expect(asked).rejects.toBe(reason);
  });
});

describe('a session that is closed', () => {
  it('wakes who waits, ends who asks, and lets nobody in', async () => {
    const { clock, locks, open, ask } = createSessionStage();
    holdOf(await ask(open('node-a')));
    const session = open('node-b');
    const next = placeOf(await ask(session)).next(never);
    locks.cut();
    const asked = session.acquire({ ...layerRequest, type: 'update' }, never);
    asked.catch(() => {});
    await clock.advance(50);
    const closing = session.close();
    await clock.advance(2_000);
    await closing;
    expect(await next).toEqual({ kind: 'ended' });
    await expect(asked).rejects.toMatchObject({ code: 'lock_lost' });
    await expect(session.acquire(layerRequest, never)).rejects.toMatchObject({ code: 'lock_lost' });
  });

  it('leaves no timer behind, and calls nobody any more', async () => {
    const { clock, locks, open, ask } = createSessionStage();
    const idle = clock.pending();
    const session = open('node-a');
    holdOf(await ask(session));
    locks.cut();
    await clock.advance(7_000);
    const closing = session.close();
    await clock.advance(2_000);
    await closing;
    const calls = locks.calls.length;
    await clock.advance(60_000);
    expect(locks.calls.length).toBe(calls);
    expect(clock.pending()).toBe(idle);
  });
});

describe('what a session was given and does not want', () => {
  it('goes to the next: a lock whose answer was lost, and that nobody waits for any more', async () => {
    const { clock, locks, open, ask } = createSessionStage();
    const first = open('node-a');
    await holdOf(await ask(first)).release(failure);
    locks.loseReplies('acquire');
    const asked = first.acquire(layerRequest, never);
    await clock.advance(5_000);
    const alone = holdOf(await asked);
    expect(alone.token).toBeUndefined();
    locks.mend();
    await clock.advance(7_000);
    expect(await locks.list({})).toEqual([]);
    await alone.release(success);
    expect(holdOf(await ask(first)).token).toBeGreaterThan(2);
  });

  it('goes to the next: a place that was kept while the session was out of reach', async () => {
    const { clock, locks, open, ask } = createSessionStage();
    const hold = holdOf(await ask(open('node-a')));
    const waiter = open('node-b');
    const place = placeOf(await ask(waiter));
    const third = placeOf(await ask(open('node-c')));
    locks.cut();
    await clock.advance(7_000);
    expect(await place.next(never)).toEqual({ kind: 'ended' });
    expect(holdOf(await ask(waiter)).token).toBeUndefined();
    locks.mend();
    await clock.advance(7_000);
    expect((await locks.list({}))[0]?.queue.map(({ nodeId }) => nodeId)).not.toContain('node-b');
    await hold.release(failure);
    await clock.advance(500);
    expect(third.position).toBe(2);
  });

  it('is not asked for after a restart by somebody who skipped it before', async () => {
    const { clock, locks, open, ask } = createSessionStage();
    const hold = holdOf(await ask(open('node-a')));
    const waiter = open('node-b');
    const place = placeOf(await ask(waiter));
    await hold.release(success);
    expect(await place.next(never)).toEqual({ kind: 'ended' });
    await locks.restart();
    await clock.advance(5_000);
    expect(await locks.list({})).toEqual([]);
  });
});

describe('a success', () => {
  it('is told to a server that has forgotten the session meanwhile', async () => {
    const { clock, locks, open, ask } = createSessionStage();
    const hold = holdOf(await ask(open('node-a')));
    await locks.restart();
    const releasing = hold.release(success);
    await clock.advance(2_000);
    await releasing;
    expect(await ask(open('node-c'))).toMatchObject({ kind: 'skip', by: { nodeId: 'node-a' } });
  });
});

describe('a lock that is lost', () => {
  it('is not listed any more, and wakes nobody who waits for it', async () => {
    const { clock, locks, open, ask } = createSessionStage();
    const session = open('node-a');
    const hold = holdOf(await ask(session));
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
    const place = placeOf(await ask(session));
    let changes = 0;
    void place.next(never).then(() => {
      changes += 1;
    });
    for (let beat = 0; beat < 4; beat += 1) {
      await locks.renew(other.sessionId, { held: [] });
      await clock.advance(4_000);
    }
    expect(changes).toBe(0);
  });
});
