import { expect, it } from 'vitest';
import { toRequestId, toStoreId } from '../../../src/core/ids.ts';
import { layer, otherLayer } from './layers.ts';
import type { Start } from './support.ts';

export function queueCases(start: Start): void {
  it('grants a free lock and queues who comes later, in order of arrival', async () => {
    const world = await start();
    const [a, b, c] = [await world.session('a'), await world.session('b'), await world.session('c')];
    const granted = await a.acquire();
    expect(granted).toMatchObject({ kind: 'granted', ttlMs: 15_000, source: { kind: 'registry' } });
    const holder = { nodeId: 'a', sessionId: a.sessionId };
    expect(await b.acquire()).toMatchObject({ kind: 'queued', position: 1, holder });
    expect(await c.acquire()).toMatchObject({ kind: 'queued', position: 2, holder });
  });

  it('answers the holder and the waiter who ask again as before', async () => {
    const world = await start();
    const [a, b, c] = [await world.session('a'), await world.session('b'), await world.session('c')];
    const token = await a.take({ requestId: toRequestId('one') });
    await b.acquire({ requestId: toRequestId('two') });
    await c.acquire();
    expect(await a.take({ requestId: toRequestId('one') })).toBe(token);
    expect(await a.take({ requestId: toRequestId('another') })).toBe(token);
    expect(await b.acquire({ requestId: toRequestId('two') })).toMatchObject({ kind: 'queued', position: 1 });
    expect(await b.acquire()).toMatchObject({ kind: 'queued', position: 1 });
    expect((await c.status()).view.queue).toHaveLength(2);
  });

  it('takes two sessions of one node for two', async () => {
    const world = await start();
    const [one, two] = [await world.session('a'), await world.session('a')];
    await one.take();
    expect(await two.acquire()).toMatchObject({ kind: 'queued', position: 1 });
    expect((await two.status()).acquired).toBe(false);
    expect(await two.succeed()).toMatchObject({ kind: 'not-holder' });
  });

  it('takes a session and a client without one for two, whatever their node is called', async () => {
    const world = await start();
    await (await world.session('a')).take();
    expect(await world.older('a').acquire()).toMatchObject({ kind: 'queued', position: 1 });
  });

  it('gives strictly increasing tokens over all resources', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), await world.session('b')];
    const tokens = [await a.take(), await b.take({ resourceId: otherLayer })];
    await b.acquire();
    await a.fail();
    tokens.push(await b.take());
    await b.fail('node', { resourceId: otherLayer });
    tokens.push(await a.take({ resourceId: otherLayer }));
    expect(tokens).toEqual([...new Set(tokens)].sort((left, right) => left - right));
  });

  it('locks each resource by itself', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), await world.session('b')];
    await a.take();
    expect(await b.acquire({ resourceId: otherLayer })).toMatchObject({ kind: 'granted' });
  });

  it('locks each store by itself, and one store once', async () => {
    const world = await start();
    const [one, two] = [toStoreId('store-1'), toStoreId('store-2')];
    const a = await world.session('a', { storeId: one });
    const b = await world.session('b', { storeId: two });
    const c = await world.session('c', { storeId: one });
    await a.take();
    await b.take();
    expect(await c.acquire()).toMatchObject({ kind: 'queued', position: 1, holder: { nodeId: 'a' } });
    await b.succeed();
    expect(await c.acquire()).toMatchObject({ kind: 'queued', position: 1 });
    await a.succeed();
    expect(await c.acquire()).toMatchObject({ kind: 'skip', by: { nodeId: 'a' } });
  });

  it('has one queue for all types of operation', async () => {
    const world = await start();
    const [a, b, c] = [await world.session('a'), await world.session('b'), await world.session('c')];
    await a.take();
    expect(await b.acquire({ type: 'delete' })).toMatchObject({ kind: 'queued', position: 1 });
    expect(await c.acquire({ type: 'update' })).toMatchObject({ kind: 'queued', position: 2 });
    await a.fail();
    expect(await c.acquire({ type: 'update' })).toMatchObject({ kind: 'queued', position: 1 });
    expect(await b.acquire({ type: 'delete' })).toMatchObject({ kind: 'granted' });
  });

  it('hands over in the order of arrival, and puts who asks again at the end', async () => {
    const world = await start();
    const [a, b, c] = [await world.session('a'), await world.session('b'), await world.session('c')];
    await a.take();
    await b.acquire();
    await c.acquire();
    await a.fail();
    expect(await a.acquire()).toMatchObject({ kind: 'queued', position: 2, holder: { nodeId: 'b' } });
    await b.take();
    await b.fail();
    await c.take();
    await c.fail();
    await a.take();
  });

  it('refuses a taken lock where queueing is turned off, and says whose it is', async () => {
    const world = await start({ queueing: false });
    const [a, b] = [await world.session('a'), await world.session('b')];
    const token = await a.take();
    const refusal = await b.acquire();
    expect(refusal).toMatchObject({ kind: 'refused', reason: 'taken' });
    expect(refusal.kind === 'refused' && refusal.message).toContain('a');
    expect(await a.take()).toBe(token);
    await a.fail();
    await b.take();
  });

  it('refuses more waiters and more resources than it has room for, and loses no place over it', async () => {
    const world = await start({ maxQueue: 1, maxResources: 1 });
    const [a, b, c] = [await world.session('a'), await world.session('b'), await world.session('c')];
    await a.take();
    await b.acquire();
    expect(await c.acquire()).toMatchObject({ kind: 'refused', reason: 'limit' });
    expect(await b.acquire()).toMatchObject({ kind: 'queued', position: 1 });
    expect(await c.acquire({ resourceId: otherLayer })).toMatchObject({ kind: 'refused', reason: 'limit' });
    await a.fail();
    expect(await c.acquire({ resourceId: layer })).toMatchObject({ kind: 'queued', position: 1 });
  });
}
