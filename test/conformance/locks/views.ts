import { expect, it } from 'vitest';
import { digestHex } from '../../../src/core/digest.ts';
import { toStoreId } from '../../../src/core/ids.ts';
import { layer, otherLayer } from './layers.ts';
import type { Start } from './support.ts';

export function viewCases(start: Start): void {
  it('show the holder with its progress, and the queue with its places', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), await world.session('b')];
    const token = await a.take();
    await world.advance(1_000);
    await b.acquire();
    await a.renew([{ type: 'pull', resourceId: layer, token, offset: 30, total: 90 }]);
    await world.advance(2_000);
    const [view] = await world.locks.list({});
    expect(view).toMatchObject({
      resourceId: layer,
      domain: 'default',
      holder: {
        ...{ nodeId: 'a', sessionId: a.sessionId, type: 'pull', token },
        ...{ heldMs: 3_000, offset: 30, total: 90 },
      },
      queue: [{ nodeId: 'b', sessionId: b.sessionId, type: 'pull', position: 1, waitingMs: 2_000 }],
      copies: [],
    });
    expect(view?.lastError).toBeUndefined();
    expect((await b.status()).view).toEqual(view);
  });

  it('show who finished a resource, and the last error', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), await world.session('b')];
    await a.take();
    await a.fail();
    await b.take();
    await b.succeed();
    await world.advance(3_000);
    const { view } = await a.status();
    expect(view.holder).toBeUndefined();
    expect(view.copies).toMatchObject([{ nodeId: 'b', ageMs: 3_000 }]);
    expect(view.lastError).toMatchObject({ nodeId: 'a', message: 'a failed', ageMs: 3_000 });
  });

  it('know nothing about what nobody asked for', async () => {
    const world = await start();
    const a = await world.session('a');
    const reply = await a.status();
    expect(reply).toMatchObject({ acquired: false, completed: false, success: false });
    expect(reply.view).toMatchObject({ resourceId: layer, queue: [], copies: [] });
    expect(await world.locks.list({ prefix: layer })).toEqual([]);
  });

  it('list what is in use, and with a prefix also what is known', async () => {
    const world = await start();
    const a = await world.session('a');
    await a.take();
    await a.take({ resourceId: otherLayer });
    await a.succeed();
    const digests = async (query: object) =>
      (await world.locks.list(query)).map(({ resourceId }) => resourceId);
    expect(await digests({})).toEqual([otherLayer]);
    expect(await digests({ prefix: layer.slice(0, 14) })).toEqual([layer]);
    expect(await digests({ prefix: digestHex(otherLayer).slice(0, 8) })).toEqual([otherLayer]);
    expect(await digests({ prefix: 'sha256:' })).toHaveLength(2);
    expect(await digests({ prefix: 'sha256:', limit: 1 })).toHaveLength(1);
    expect(await digests({ prefix: 'ffff' })).toEqual([]);
  });

  it('show each store by itself', async () => {
    const world = await start();
    const a = await world.session('a', { storeId: toStoreId('store-1') });
    const b = await world.session('b', { storeId: toStoreId('store-2') });
    await a.take();
    await b.take();
    const domains = (await world.locks.list({ prefix: layer })).map(({ domain }) => domain);
    expect(domains.toSorted()).toEqual(['store-1', 'store-2']);
    expect((await a.status()).view.domain).toBe('store-1');
  });
}
