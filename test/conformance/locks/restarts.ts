import { expect, it } from 'vitest';
import { toNodeId, toRequestId, toSessionId, toStoreId } from '../../../src/core/ids.ts';
import { layer, otherLayer } from './layers.ts';
import type { Start, World } from './support.ts';

export function restartCases(start: Start): void {
  it('keeps the holder and its token, and gives later grants higher ones', async () => {
    const world = await start();
    const a = await world.session('a');
    const token = await a.take();
    await restart(world);
    expect(await a.take()).toBe(token);
    expect(await a.take({ resourceId: otherLayer })).toBeGreaterThan(token);
    expect(await a.succeed({ token })).toEqual({ kind: 'released' });
  });

  it('keeps what a session took along to another store', async () => {
    const world = await start();
    const [sessionId, storeId] = [toSessionId('moved'), toStoreId('copy')];
    const [a, b] = [await world.session('a', { sessionId }), await world.session('b')];
    const token = await a.take();
    await b.take({ resourceId: otherLayer });
    await a.acquire({ resourceId: otherLayer });
    await world.session('a', { sessionId, storeId });
    await restart(world);
    expect((await a.renew()).granted).toMatchObject([{ token }, { resourceId: otherLayer }]);
    await b.take();
    expect(await a.succeed({ token })).toEqual({ kind: 'released' });
  });

  it('keeps pulls that read from one another going, and hears of copies again', async () => {
    const world = await start();
    const join = async (node: string) =>
      await world.session(node, { storeId: toStoreId(node), url: `http://${node}.example` });
    const [a, b, c, d] = [await join('a'), await join('b'), await join('c'), await join('d')];
    await a.take();
    await b.take();
    await c.tell({ announce: { add: [otherLayer], remove: [] } });
    await restart(world);
    expect(await b.sources(5, a)).toMatchObject({ kind: 'wait' });
    expect(await d.acquire()).toMatchObject({ kind: 'granted', source: { kind: 'peer' } });
    await c.tell({ announce: { add: [otherLayer], remove: [] } });
    expect(await d.acquire({ resourceId: otherLayer })).toMatchObject({ source: { nodeId: 'c' } });
  });

  it('keeps places in their order, with and without a session', async () => {
    const world = await start();
    const [a, b, d] = [await world.session('a'), await world.session('b'), await world.session('d')];
    const c = world.older('c');
    await a.take();
    for (const each of [b, c, d]) await each.acquire();
    await restart(world);
    expect(await c.acquire()).toMatchObject({ kind: 'queued', position: 2, holder: { nodeId: 'a' } });
    expect((await d.watch()).snapshot.queued).toMatchObject([{ resourceId: layer, position: 3 }]);
    await a.fail();
    const token = await b.take();
    await b.fail();
    expect(await c.take()).toBeGreaterThan(token);
  });

  it('keeps the order of a queue whose head left and whose last came after that', async () => {
    const world = await start();
    const [a, b, c] = [await world.session('a'), await world.session('b'), await world.session('c')];
    await a.take();
    await b.acquire();
    await c.acquire();
    await b.decline();
    await b.acquire();
    await restart(world);
    expect(await c.acquire()).toMatchObject({ position: 1 });
    expect(await b.acquire()).toMatchObject({ position: 2 });
  });

  it('never enqueues twice a request that was repeated over the restart', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), await world.session('b')];
    await a.take();
    const requestId = toRequestId('one');
    await b.acquire({ requestId });
    await restart(world);
    await b.acquire({ requestId });
    expect((await a.status()).view.queue).toHaveLength(1);
  });

  it('still answers skip after a pull, and still knows by whom', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), await world.session('b')];
    await a.take();
    await a.succeed();
    await restart(world);
    expect(await b.acquire()).toMatchObject({ kind: 'skip', by: { nodeId: 'a' } });
    expect((await b.status()).view.copies).toMatchObject([{ nodeId: 'a' }]);
  });

  it('lets completions expire on time, the time of the restart included', async () => {
    const world = await start();
    const a = await world.session('a');
    await a.take();
    await a.succeed();
    await world.advanceWith(400_000, [a]);
    await restart(world);
    await world.advanceWith(190_000, [a]);
    expect(await a.acquire()).toMatchObject({ kind: 'skip' });
    await world.advanceWith(12_000, [a]);
    expect(await a.acquire()).toMatchObject({ kind: 'granted' });
  });

  it('forgets a pull that was deleted before', async () => {
    const world = await start();
    const a = await world.session('a');
    await a.take();
    await a.succeed();
    await a.take({ type: 'delete' });
    await a.succeed({ type: 'delete' });
    await restart(world);
    expect(await a.acquire()).toMatchObject({ kind: 'granted' });
  });

  it('answers a repeated release as before, and refuses another outcome', async () => {
    const world = await start();
    const a = await world.session('a');
    const token = await a.take();
    await a.fail();
    await restart(world);
    expect(await a.fail('node', { token })).toEqual({ kind: 'released' });
    expect(await a.succeed({ token })).toMatchObject({ kind: 'conflict' });
  });

  it('still refuses content that failed twice, and says why', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), await world.session('b')];
    await a.take();
    await a.fail('content');
    await b.take();
    await b.fail('content');
    await restart(world);
    expect(await a.acquire()).toEqual({ kind: 'refused', reason: 'content', message: 'b failed' });
  });

  it('tells a client that polls why its place is gone', async () => {
    const world = await start();
    const [a, b] = [world.older('a'), world.older('b')];
    await a.take();
    await b.acquire();
    await a.fail('content');
    await restart(world);
    expect(await b.status()).toMatchObject({ acquired: false, error: 'a failed' });
  });

  it('gives sessions one whole TTL to come back, then frees what they held', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), await world.session('b')];
    await a.take();
    await b.acquire();
    await world.advanceWith(10_000, [b]);
    await restart(world);
    await world.advanceWith(14_000, [b]);
    expect(await b.acquire()).toMatchObject({ kind: 'queued', holder: { nodeId: 'a' } });
    await world.advanceWith(2_000, [b]);
    await b.take();
  });

  it('knows a session that was closed no more', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), await world.session('b')];
    await a.take();
    await a.close();
    await restart(world);
    await expect(a.renew([])).rejects.toMatchObject({ code: 'session_unknown' });
    await b.take();
  });

  it('still knows the nodes of its sessions', async () => {
    const world = await start();
    const said = { nodeId: toNodeId('a'), zone: 'rack-7', url: 'http://10.0.0.1:5001' };
    const { sessionId } = await world.locks.openSession(said);
    await restart(world);
    expect(await world.locks.nodes()).toMatchObject([{ ...said, sessionId, state: 'online' }]);
  });

  it('survives several restarts in a row', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), await world.session('b')];
    let last = await a.take();
    await b.acquire();
    for (let round = 0; round < 5; round += 1) {
      await restart(world);
      const [holder, waiter] = round % 2 === 0 ? [a, b] : [b, a];
      expect(await holder.take()).toBe(last);
      await holder.fail();
      last = await waiter.take();
      await holder.acquire();
    }
    expect(last).toBeGreaterThan(0);
  });
}

async function restart(world: World): Promise<void> {
  if (!world.restart) throw new Error('this service keeps nothing');
  await world.restart();
}
