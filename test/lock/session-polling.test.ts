import { describe, expect, it } from 'vitest';
import { toNodeId, toStoreId } from '../../src/core/ids.ts';
import type { PlaceChange } from '../../src/lock/locks.ts';
import {
  createSessionStage,
  failure,
  holdOf,
  layerRequest,
  never,
  placeOf,
  success,
} from '../support/session-stage.ts';

/** A holder and a waiter whose streams are refused for good. */
async function startWithoutStreams() {
  const stage = createSessionStage();
  stage.locks.refuseStreams();
  const [holder, waiter] = [stage.open('node-a'), stage.open('node-b')];
  const hold = holdOf(await stage.ask(holder));
  const place = placeOf(await stage.ask(waiter));
  const wait = () => {
    const heard: { change?: PlaceChange; atMs?: number } = {};
    void place.next(never).then((change) => Object.assign(heard, { change, atMs: stage.clock.now() }));
    return heard;
  };
  const count = (name: string) => stage.locks.calls.filter((call) => call === name).length;
  return { ...stage, hold, waiter, place, wait, count };
}

describe('a session whose streams are refused', () => {
  it('sends a heartbeat every 500 ms', async () => {
    const { clock, count } = await startWithoutStreams();
    await clock.advance(1_000);
    const before = count('renew');
    await clock.advance(10_000);
    expect(count('renew') - before).toBe(2 * 20);
  });

  it('hears of a grant within 500 ms, and gets the lock', async () => {
    const { ask, clock, hold, waiter, wait } = await startWithoutStreams();
    await clock.advance(3_000);
    const heard = wait();
    await hold.release(failure);
    const releasedMs = clock.now();
    await clock.advance(1_000);
    expect(heard.change).toEqual({ kind: 'granted', waiters: 0 });
    expect((heard.atMs ?? 0) - releasedMs).toBeLessThanOrEqual(500);
    expect(holdOf(await ask(waiter)).token).toBe(2);
  });

  it('hears that the holder finished, and is told to skip', async () => {
    const { ask, clock, hold, waiter, wait } = await startWithoutStreams();
    const heard = wait();
    await hold.release(success);
    await clock.advance(500);
    expect(heard.change).toEqual({ kind: 'ended' });
    expect(await ask(waiter)).toMatchObject({ kind: 'skip', by: { nodeId: 'node-a' } });
  });

  it('hears that the content failed for the holder', async () => {
    const { clock, hold, wait } = await startWithoutStreams();
    const heard = wait();
    await hold.release({ success: false, error: 'wrong digest', class: 'content' });
    await clock.advance(500);
    expect(heard.change).toEqual({ kind: 'ended' });
  });

  it('hears of its place when it moves', async () => {
    const { ask, clock, hold, wait, waiter, open } = await startWithoutStreams();
    const second = wait();
    const third = placeOf(await ask(open('node-c')));
    expect(third.position).toBe(2);
    await hold.release(failure);
    await clock.advance(500);
    expect(await third.next(never)).toMatchObject({ position: 1, holder: { nodeId: 'node-b' } });
    expect(second.change).toMatchObject({ kind: 'granted' });
    expect(holdOf(await ask(waiter)).token).toBe(2);
  });

  it('hears that its lock went to another', async () => {
    const { clock, locks, hold } = await startWithoutStreams();
    locks.cut();
    await locks.restart();
    locks.mend();
    const other = await locks.openSession({ nodeId: toNodeId('node-x'), storeId: toStoreId('store') });
    const stolen = locks.acquire({ ...layerRequest, nodeId: toNodeId('node-x'), sessionId: other.sessionId });
    locks.cut();
    await clock.advance(1_500);
    expect(await stolen).toMatchObject({ kind: 'granted' });
    expect(hold.revoked.aborted).toBe(false);
    locks.mend();
    await clock.advance(1_000);
    expect(hold.revoked.aborted).toBe(true);
  });

  it('keeps lock and place over a restart of the server', async () => {
    const { clock, locks, hold, wait } = await startWithoutStreams();
    const heard = wait();
    await locks.restart();
    await clock.advance(3_000);
    expect(await locks.list({})).toMatchObject([
      { holder: { nodeId: 'node-a', token: 1 }, queue: [{ nodeId: 'node-b' }] },
    ]);
    expect(heard.change).toBeUndefined();
    await hold.release(failure);
    await clock.advance(500);
    expect(heard.change).toMatchObject({ kind: 'granted' });
  });

  it('opens its stream less and less often, and goes back to it once it is served', async () => {
    const { clock, locks, count } = await startWithoutStreams();
    await clock.advance(60_000);
    const before = count('stream');
    await clock.advance(60_000);
    // Two sessions, a pause of at most ten seconds.
    expect(count('stream') - before).toBeGreaterThanOrEqual(2 * 6);
    expect(count('stream') - before).toBeLessThanOrEqual(2 * 9);
    locks.allowStreams();
    await clock.advance(10_000);
    const beats = count('renew');
    await clock.advance(10_000);
    expect(count('renew') - beats).toBeLessThanOrEqual(2 * 2);
  });

  it('goes on with heartbeats when each stream breaks after its snapshot', async () => {
    const { clock, locks, hold, wait, count } = await startWithoutStreams();
    locks.allowStreams();
    const heard = wait();
    const before = count('stream');
    for (let second = 0; second < 15; second += 1) {
      locks.breakStreams();
      await clock.advance(1_000);
    }
    expect(count('stream') - before).toBeLessThanOrEqual(2 * 7);
    locks.breakStreams();
    await hold.release(success);
    await clock.advance(500);
    expect(heard.change).toEqual({ kind: 'ended' });
  });
});

describe('a session that waits for something it does already', () => {
  it('has the second wait for the first, and skip', async () => {
    const { open, ask, clock } = createSessionStage();
    const session = open('node-a');
    const hold = holdOf(await ask(session));
    const place = placeOf(await ask(session));
    expect(place).toMatchObject({ position: 1, holder: { nodeId: 'node-a', sessionId: session.sessionId } });
    const next = place.next(never);
    await hold.release(success);
    await clock.advance(0);
    expect(await next).toEqual({ kind: 'ended' });
    expect(await ask(session)).toMatchObject({ kind: 'skip' });
  });

  it('has it wait also while the end of the first is told', async () => {
    const { open, ask, locks } = createSessionStage();
    const session = open('node-a');
    const hold = holdOf(await ask(session));
    locks.loseReplies('release');
    void hold.release(success);
    expect(placeOf(await ask(session)).holder).toMatchObject({ nodeId: 'node-a' });
  });

  it('takes both through one queue when another session holds', async () => {
    const { open, ask, clock, locks } = createSessionStage();
    const hold = holdOf(await ask(open('node-a')));
    const session = open('node-b');
    const [first, second] = [placeOf(await ask(session)), placeOf(await ask(session))];
    expect(await locks.list({})).toMatchObject([{ queue: [{ nodeId: 'node-b' }] }]);
    await hold.release(success);
    expect(await first.next(never)).toEqual({ kind: 'ended' });
    await clock.advance(0);
    expect(await second.next(never)).toEqual({ kind: 'ended' });
  });

  it('lets the second be cancelled without a word to the first', async () => {
    const { open, ask, clock, locks } = createSessionStage();
    const session = open('node-a');
    const hold = holdOf(await ask(session));
    const place = placeOf(await ask(session));
    const stop = new AbortController();
    const next = place.next(stop.signal);
    stop.abort(new Error('enough'));
    await expect(next).rejects.toThrow('enough');
    await place.decline();
    await clock.advance(10_000);
    expect(hold.revoked.aborted).toBe(false);
    expect(await locks.list({})).toMatchObject([{ holder: { nodeId: 'node-a' } }]);
  });
});
