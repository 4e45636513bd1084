import { expect, it } from 'vitest';
import { type SessionId, toSessionId, toToken } from '../../../src/core/ids.ts';
import type { HeldProgress } from '../../../src/lock/locks.ts';
import { layer, otherLayer } from './layers.ts';
import type { Start } from './support.ts';

const former = (name: string): { readonly sessionId: SessionId } => ({ sessionId: toSessionId(name) });
const held = (token: number, resourceId = layer): HeldProgress => ({
  ...{ type: 'pull', resourceId, offset: 10, total: 100 },
  token: toToken(token),
});

export function recoveryCases(start: Start): void {
  it('gives back what was held, and hands out higher tokens from then on', async () => {
    const world = await start({ recoveryMs: 1_000 });
    const a = await world.session('a', former('a-1'));
    const token = toToken(5_000);
    expect((await a.renew([held(token)])).granted).toMatchObject([{ resourceId: layer, token }]);
    expect(await a.take()).toBe(token);
    await world.advance(1_500);
    expect(await a.take({ resourceId: otherLayer })).toBeGreaterThan(token);
    expect(await a.succeed({ token })).toEqual({ kind: 'released' });
  });

  it('grants nothing else until the time is over', async () => {
    const world = await start({ recoveryMs: 1_000 });
    const [a, b] = [await world.session('a', former('a-1')), await world.session('b')];
    const asked = b.acquire();
    await a.renew([held(7)]);
    await world.advance(1_500);
    expect(await asked).toMatchObject({ kind: 'queued', position: 1, holder: { nodeId: 'a' } });
  });

  it('gives places back in their former order, whoever comes first', async () => {
    const world = await start({ recoveryMs: 1_000 });
    const a = await world.session('a', former('a-1'));
    const [b, c] = [await world.session('b', former('b-1')), await world.session('c', former('c-1'))];
    expect(await c.acquire({ position: 2 })).toMatchObject({ kind: 'queued' });
    expect(await b.acquire({ position: 1 })).toMatchObject({ kind: 'queued', position: 1 });
    await a.renew([held(7)]);
    await world.advance(1_500);
    expect(await c.acquire()).toMatchObject({ kind: 'queued', position: 2, holder: { nodeId: 'a' } });
    await a.fail();
    await b.take();
  });

  it('grants the first in each queue when nobody came for the lock', async () => {
    const world = await start({ recoveryMs: 1_000 });
    const [b, c] = [await world.session('b', former('b-1')), await world.session('c', former('c-1'))];
    const stream = await b.watch();
    await c.acquire({ position: 2 });
    await b.acquire({ position: 1 });
    expect((await b.status()).acquired).toBe(false);
    await world.advance(1_500);
    const { token } = await stream.until('granted');
    expect(await b.take()).toBe(token);
    expect(await c.acquire()).toMatchObject({ kind: 'queued', position: 1 });
  });

  it('lets the higher token win when two come for one lock', async () => {
    const world = await start({ recoveryMs: 1_000 });
    const [a, b] = [await world.session('a', former('a-1')), await world.session('b', former('b-1'))];
    const stream = await a.watch();
    await a.renew([held(7)]);
    expect((await b.renew([held(9)])).granted).toMatchObject([{ token: 9 }]);
    expect(await stream.until('revoked')).toMatchObject({ resourceId: layer, token: 7 });
    expect((await a.renew([held(7)])).granted).toEqual([]);
    expect((await b.status()).acquired).toBe(true);
  });

  it('gives a lock back later too, if nobody got it meanwhile', async () => {
    const world = await start();
    const a = await world.session('a', former('a-1'));
    expect((await a.renew([held(70)])).granted).toMatchObject([{ token: 70 }]);
    expect(await (await world.session('b')).acquire()).toMatchObject({
      kind: 'queued',
      holder: { nodeId: 'a' },
    });
  });

  it('gives no lock back that somebody got meanwhile, even when it is free again', async () => {
    const world = await start();
    const b = await world.session('b');
    await b.take();
    const a = await world.session('a', former('a-1'));
    const stream = await a.watch();
    expect((await a.renew([held(70)])).granted).toEqual([]);
    expect(await stream.until('revoked')).toMatchObject({ token: 70 });
    await b.fail();
    expect((await a.renew([held(70)])).granted).toEqual([]);
  });

  it('takes no one’s word for a lock who was never here before', async () => {
    const world = await start();
    const { sessionId } = await world.locks.openSession({ nodeId: (await world.session('a')).nodeId });
    expect((await world.locks.renew(sessionId, { held: [held(70)] })).granted).toEqual([]);
  });

  it('forgets places told to it after the time is over', async () => {
    const world = await start();
    const [a, b, c] = [await world.session('a'), await world.session('b'), await world.session('c')];
    await a.take();
    await b.acquire();
    expect(await c.acquire({ position: 1 })).toMatchObject({ kind: 'queued', position: 2 });
  });
}
