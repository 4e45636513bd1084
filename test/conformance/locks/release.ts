import { expect, it } from 'vitest';
import { toToken } from '../../../src/core/ids.ts';
import { otherLayer } from './layers.ts';
import type { Start } from './support.ts';

export function releaseCases(start: Start): void {
  it('answers the same release again as before, with its token and without', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), await world.session('b')];
    const token = await a.take();
    await b.acquire();
    for (const again of [{ token }, { token }, {}]) {
      expect(await a.fail('node', again)).toEqual({ kind: 'released' });
    }
    await b.take();
    expect(await a.fail('node', { token })).toEqual({ kind: 'released' });
    expect((await b.status()).acquired).toBe(true);
  });

  it('refuses a release turned round, and changes nothing', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), await world.session('b')];
    const token = await a.take();
    await a.succeed({ token });
    expect(await a.fail('node', { token })).toMatchObject({ kind: 'conflict' });
    expect(await a.fail()).toMatchObject({ kind: 'conflict' });
    expect(await b.acquire()).toMatchObject({ kind: 'skip' });
  });

  it('refuses a token that was superseded, and changes nothing', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), await world.session('b')];
    const old = await a.take();
    await b.acquire();
    await world.advanceWith(16_000, [b]);
    await b.take();
    const back = await world.session('a', a.sessionId === undefined ? {} : { sessionId: a.sessionId });
    expect(await back.succeed({ token: old })).toMatchObject({ kind: 'conflict' });
    expect((await b.status()).acquired).toBe(true);
  });

  it('refuses a former token of the holder itself', async () => {
    const world = await start();
    const a = await world.session('a');
    const old = await a.take();
    await a.fail('node', { token: old });
    const token = await a.take();
    expect(await a.succeed({ token: old })).toMatchObject({ kind: 'conflict' });
    expect(await a.take()).toBe(token);
  });

  it('refuses strangers, with the token of another and without any', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), await world.session('b')];
    const token = await a.take();
    for (const request of [{ token }, {}, { token: toToken(token + 1_000) }]) {
      expect(await b.succeed(request)).toMatchObject({ kind: 'not-holder' });
      expect(await b.decline(request)).toMatchObject({ kind: 'not-holder' });
    }
    expect(await b.succeed({ resourceId: otherLayer })).toMatchObject({ kind: 'not-holder' });
    expect(await a.succeed({ type: 'delete' })).toMatchObject({ kind: 'not-holder' });
    expect((await a.status()).acquired).toBe(true);
  });

  it('forgets who released after ten minutes', async () => {
    const world = await start();
    const a = await world.session('a');
    const token = await a.take();
    await a.fail('node', { token });
    await world.advanceWith(601_000, [a]);
    expect(await a.fail('node', { token })).toMatchObject({ kind: 'not-holder' });
  });

  it('passes a declined grant on without an error', async () => {
    const world = await start();
    const [a, b, c] = [await world.session('a'), await world.session('b'), await world.session('c')];
    await a.take();
    await b.acquire();
    await c.acquire();
    await a.fail();
    const { view } = await c.status();
    expect(view.holder).toMatchObject({ nodeId: 'b' });
    expect(await b.decline()).toEqual({ kind: 'released' });
    expect(await b.decline()).toEqual({ kind: 'released' });
    await c.take();
    expect((await c.status()).view.lastError).toMatchObject({ nodeId: 'a' });
  });

  it('lets a waiter leave the queue', async () => {
    const world = await start();
    const [a, b, c] = [await world.session('a'), await world.session('b'), await world.session('c')];
    await a.take();
    await b.acquire();
    await c.acquire();
    expect(await b.decline()).toEqual({ kind: 'released' });
    expect(await c.acquire()).toMatchObject({ kind: 'queued', position: 1 });
    await a.fail();
    await c.take();
  });
}
