import { describe, expect, it } from 'vitest';
import { toNodeId, toStoreId } from '../../src/core/ids.ts';
import {
  createSessionStage,
  failure,
  holdOf,
  layerRequest,
  never,
  placeOf,
} from '../support/session-stage.ts';

describe('a lock that its holder declines', () => {
  it('goes to the next in the queue at once, and nobody hears of a failure', async () => {
    const { locks, open, ask } = createSessionStage();
    const second = open('node-b');
    const hold = holdOf(await ask(open('node-a')));
    const place = placeOf(await ask(second));
    await hold.decline();
    expect(await place.next(never)).toEqual({ kind: 'granted', waiters: 0 });
    expect(holdOf(await ask(second)).token).toBe(2);
    const [view] = await locks.list({});
    expect(view).toMatchObject({ holder: { nodeId: 'node-b' }, queue: [] });
    expect(view?.lastError).toBeUndefined();
  });

  it('can be asked for again at once, at the end of the queue', async () => {
    const { open, ask } = createSessionStage();
    const [first, second] = [open('node-a'), open('node-b')];
    const hold = holdOf(await ask(first));
    const place = placeOf(await ask(second));
    const declining = hold.decline();
    const behindOneself = placeOf(await ask(first));
    await declining;
    expect(await behindOneself.next(never)).toEqual({ kind: 'ended' });
    expect(await place.next(never)).toMatchObject({ kind: 'granted' });
    expect(placeOf(await ask(first)).holder).toMatchObject({ nodeId: 'node-b' });
  });

  it('ends once, however it is ended again', async () => {
    const { locks, open, ask } = createSessionStage();
    const hold = holdOf(await ask(open('node-a')));
    await Promise.all([hold.decline(), hold.decline(), hold.release(failure)]);
    expect(locks.calls.filter((call) => call === 'decline' || call === 'release')).toEqual(['decline']);
    expect(hold.revoked.aborted).toBe(false);
  });

  it('is not told where it is lost already', async () => {
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
    await hold.decline();
    expect(locks.calls).not.toContain('decline');
  });

  it('goes to the next as well where the line breaks meanwhile: the server hears of it once that is mended', async () => {
    const { clock, locks, open, ask } = createSessionStage();
    const second = open('node-b');
    const hold = holdOf(await ask(open('node-a')));
    const place = placeOf(await ask(second));
    locks.breakStreams();
    locks.loseReplies('renew');
    locks.cut();
    const declining = hold.decline();
    await clock.advance(2_000);
    await declining;
    locks.mend();
    await clock.advance(10_000);
    expect(await place.next(never)).toMatchObject({ kind: 'granted' });
  });

  it('is no more than an end where nobody coordinates', async () => {
    const { clock, locks, open } = createSessionStage();
    locks.cut();
    const session = open('node-a');
    const asked = session.acquire(layerRequest, never);
    await clock.advance(10_000);
    const hold = holdOf(await asked);
    expect(hold.token).toBeUndefined();
    await hold.decline();
    expect(holdOf(await session.acquire(layerRequest, never)).token).toBeUndefined();
  });
});
