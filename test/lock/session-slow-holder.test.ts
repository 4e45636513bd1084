import { describe, expect, it } from 'vitest';
import type { Hold, PlaceChange } from '../../src/lock/locks.ts';
import {
  createSessionStage,
  failure,
  holdOf,
  layerRequest,
  never,
  placeOf,
  type SessionStage,
  success,
} from '../support/session-stage.ts';

const { resourceId } = layerRequest;
const request = (type: 'pull' | 'delete' = 'pull') => ({ type, resourceId, total: 100_000_000 });
const kib = 1_024;

/** Brings bytes at this rate for so long, telling it four times a second; goes on from where it was. */
async function bring(clock: SessionStage['clock'], hold: Hold, rate: number, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 250) {
    const reached = (brought.get(hold) ?? 1) + Math.ceil(rate / 4);
    brought.set(hold, reached);
    hold.progress(reached);
    await clock.advance(250);
  }
}

const brought = new WeakMap<Hold, number>();

/** What a waiter is told next, if anything. */
function listen(next: Promise<PlaceChange>): { change?: PlaceChange } {
  const heard: { change?: PlaceChange } = {};
  next.then(
    (change) => {
      heard.change = change;
    },
    () => {},
  );
  return heard;
}

async function startWaiting(stage: SessionStage, options: Parameters<SessionStage['open']>[1] = {}) {
  const hold = holdOf(await stage.ask(stage.open('node-a'), request()));
  const waiter = stage.open('node-b', options);
  const place = placeOf(await stage.ask(waiter, request()));
  return { hold, waiter, place };
}

describe('a waiter behind a holder that is too slow', () => {
  it('leaves it after thirty seconds, gives its place up, and goes on without a lock', async () => {
    const stage = createSessionStage();
    const { hold, place } = await startWaiting(stage);
    const heard = listen(place.next(never));
    await bring(stage.clock, hold, 100 * kib, 29_000);
    expect(heard.change).toBeUndefined();
    await bring(stage.clock, hold, 100 * kib, 12_000);
    expect(heard.change).toMatchObject({ kind: 'left' });
    const left = heard.change?.kind === 'left' ? heard.change.hold : undefined;
    expect(left?.token).toBeUndefined();
    expect(left?.revoked.aborted).toBe(false);
    expect(await stage.locks.list({})).toMatchObject([{ holder: { nodeId: 'node-a' }, queue: [] }]);
    expect(hold.revoked.aborted).toBe(false);
  });

  it('says once who was slow, on what, and how slow', async () => {
    const stage = createSessionStage();
    const { hold } = await startWaiting(stage);
    await bring(stage.clock, hold, 100 * kib, 60_000);
    expect(stage.warnings).toMatchObject([{ code: 'holder_slow' }]);
    const [warning] = stage.warnings;
    expect(warning?.message).toMatch(
      /^node-a brings sha256:[0-9a-f]+ at (9\d|10\d) KiB\/s, less than 256 KiB\/s over 30 s$/,
    );
  });

  it('stays behind one that is fast enough, and behind one that publishes', async () => {
    const stage = createSessionStage();
    const { hold, place } = await startWaiting(stage);
    const heard = listen(place.next(never));
    await bring(stage.clock, hold, 300 * kib, 60_000);
    hold.progress(request().total);
    await stage.clock.advance(100_000);
    expect(heard.change).toBeUndefined();
    await hold.release(success);
    await stage.clock.advance(1);
    expect(heard.change).toEqual({ kind: 'ended' });
    expect(stage.warnings).toEqual([]);
  });

  it('stays when no bound is set, and where it must not go on alone', async () => {
    for (const options of [{ bounds: { minRateBytesPerSecond: 0 } }, { onLockFailure: 'fail' as const }]) {
      const stage = createSessionStage();
      const { hold, place } = await startWaiting(stage, options);
      const heard = listen(place.next(never));
      await bring(stage.clock, hold, 10, 60_000);
      expect(heard.change).toBeUndefined();
    }
  });

  it('stays where only the lock makes the work safe', async () => {
    const stage = createSessionStage();
    const hold = holdOf(await stage.ask(stage.open('node-a'), request()));
    const place = placeOf(await stage.ask(stage.open('node-b'), request('delete')));
    const heard = listen(place.next(never));
    await bring(stage.clock, hold, 10 * kib, 60_000);
    expect(heard.change).toBeUndefined();
  });

  it('gives the next holder all its time', async () => {
    const stage = createSessionStage();
    const { hold, waiter, place } = await startWaiting(stage);
    const third = placeOf(await stage.ask(stage.open('node-c'), request()));
    const heard = listen(third.next(never));
    await bring(stage.clock, hold, 100 * kib, 20_000);
    await hold.release(failure);
    expect(await place.next(never)).toMatchObject({ kind: 'granted' });
    const next = holdOf(await stage.ask(waiter, request()));
    await bring(stage.clock, next, 1_000 * kib, 5_000);
    expect(heard.change).toMatchObject({ kind: 'moved', position: 1, holder: { nodeId: 'node-b' } });
    const later = listen(third.next(never));
    await bring(stage.clock, next, 1_000 * kib, 30_000);
    expect(later.change).toBeUndefined();
  });

  it('asks for the layer anew once it has done with it', async () => {
    const stage = createSessionStage();
    const { hold, waiter, place } = await startWaiting(stage);
    const heard = listen(place.next(never));
    await bring(stage.clock, hold, 1 * kib, 40_000);
    const again = placeOf(await stage.ask(waiter, request()));
    const woken = listen(again.next(never));
    if (heard.change?.kind !== 'left') throw new Error('the holder was not left');
    expect(woken.change).toBeUndefined();
    await heard.change.hold.release(success);
    await stage.clock.advance(1);
    expect(woken.change).toEqual({ kind: 'ended' });
    expect(placeOf(await stage.ask(waiter, request())).holder).toMatchObject({ nodeId: 'node-a' });
  });

  it('is free for another when its waiter gives up before it reads that the holder was left', async () => {
    const stage = createSessionStage();
    const { hold, waiter, place } = await startWaiting(stage);
    await bring(stage.clock, hold, 1 * kib, 40_000);
    await place.decline();
    expect(placeOf(await stage.ask(waiter, request())).holder).toMatchObject({ nodeId: 'node-a' });
  });

  it('measures over the window that it is given', async () => {
    const stage = createSessionStage();
    const bounds = { minRateWindowMs: 10_000, minRateBytesPerSecond: 1_000_000 };
    const { hold, place } = await startWaiting(stage, { bounds });
    const heard = listen(place.next(never));
    await bring(stage.clock, hold, 900_000, 17_000);
    expect(heard.change).toMatchObject({ kind: 'left' });
  });
});
