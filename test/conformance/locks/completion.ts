import { expect, it } from 'vitest';
import { toRequestId } from '../../../src/core/ids.ts';
import type { Start } from './support.ts';

export function completionCases(start: Start): void {
  it('answers a successful pull to those who wait and to those who come later', async () => {
    const world = await start();
    const [a, b, c] = [await world.session('a'), await world.session('b'), await world.session('c')];
    const stream = await b.watch();
    await a.take();
    await b.acquire();
    await a.succeed();
    const by = { nodeId: 'a', sessionId: a.sessionId };
    expect(await stream.until('completed')).toMatchObject({ type: 'pull', by });
    expect(await b.acquire()).toEqual({ kind: 'skip', by });
    expect(await c.acquire()).toEqual({ kind: 'skip', by });
    expect(await b.status()).toMatchObject({ acquired: false, completed: true, success: true });
  });

  it('forgets a completion after ten minutes', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), await world.session('b')];
    await a.take();
    await a.succeed();
    await world.advanceWith(590_000, [a, b]);
    expect(await b.acquire()).toMatchObject({ kind: 'skip' });
    await world.advanceWith(20_000, [a, b]);
    await b.take();
  });

  it('lets force ignore a completion, and never take a lock from its holder', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), await world.session('b')];
    await a.take();
    await a.succeed();
    await a.take({ force: true });
    expect(await b.acquire({ force: true })).toMatchObject({ kind: 'queued', position: 1 });
  });

  it('skips nobody after an update', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), await world.session('b')];
    await a.take({ type: 'update' });
    await b.acquire({ type: 'update' });
    await a.succeed({ type: 'update' });
    // Handed over, not just free for whoever asks again.
    expect((await b.renew([])).granted).toMatchObject([{ type: 'update' }]);
    await b.take({ type: 'update' });
  });

  it('remembers the pull over an update', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), await world.session('b')];
    await a.take();
    await a.succeed();
    await a.take({ type: 'update' });
    await a.succeed({ type: 'update' });
    expect(await b.acquire()).toMatchObject({ kind: 'skip', by: { nodeId: 'a' } });
  });

  it('forgets the pull after a delete, and skips those who wait to delete, once', async () => {
    const world = await start();
    const [a, b, c] = [await world.session('a'), await world.session('b'), await world.session('c')];
    await a.take();
    await a.succeed();
    await a.take({ type: 'delete' });
    const requestId = toRequestId('delete-1');
    await b.acquire({ type: 'delete', requestId });
    await a.succeed({ type: 'delete' });
    expect(await c.status()).toMatchObject({ completed: false, success: false });
    // An answer may get lost, so the same request gets the same one again.
    for (let time = 0; time < 3; time += 1) {
      expect(await b.acquire({ type: 'delete', requestId })).toMatchObject({ kind: 'skip' });
    }
    await c.take();
    await c.succeed();
    expect(await b.acquire({ type: 'delete' })).toMatchObject({ kind: 'granted' });
  });

  it('lets a pull go on that waits behind a delete', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), await world.session('b')];
    await a.take({ type: 'delete' });
    await b.acquire();
    await a.succeed({ type: 'delete' });
    await b.take();
  });

  it('skips waiting pulls only, and gives a waiting delete its turn', async () => {
    const world = await start();
    const [a, b, c] = [await world.session('a'), await world.session('b'), await world.session('c')];
    await a.take();
    await b.acquire();
    await c.acquire({ type: 'delete' });
    await a.succeed();
    expect(await b.acquire()).toMatchObject({ kind: 'skip' });
    await c.take({ type: 'delete' });
  });

  it('hands over at once when a node failed, and tells the next one', async () => {
    const world = await start();
    const [a, b, c] = [await world.session('a'), await world.session('b'), await world.session('c')];
    const stream = await b.watch();
    const first = await a.take();
    await b.acquire();
    await c.acquire();
    await a.fail('node');
    const granted = await stream.until('granted');
    expect(granted).toMatchObject({ type: 'pull', waiters: 1 });
    expect(granted.token).toBeGreaterThan(first);
    expect(await b.take()).toBe(granted.token);
    expect((await c.status()).view.lastError).toMatchObject({ nodeId: 'a', message: 'a failed' });
  });

  it('tells everyone who waits that the content failed, and lets them try once', async () => {
    const world = await start();
    const [a, b, c] = [await world.session('a'), await world.session('b'), await world.session('c')];
    const streams = [await b.watch(), await c.watch()];
    await a.take();
    await b.acquire();
    await c.acquire();
    await a.fail('content');
    for (const stream of streams) {
      expect(await stream.until('failed')).toMatchObject({ type: 'pull', error: 'a failed' });
    }
    await c.take();
    expect(await b.acquire()).toMatchObject({ kind: 'queued', position: 1 });
  });

  it('refuses for a minute once the content failed twice within one', async () => {
    const world = await start();
    const [a, b, c] = [await world.session('a'), await world.session('b'), await world.session('c')];
    await a.take();
    await a.fail('content');
    await world.advanceWith(30_000, [a, b, c]);
    await b.take();
    await c.acquire();
    await b.fail('content');
    for (const one of [a, b, c]) {
      const refusal = await one.acquire();
      expect(refusal).toEqual({ kind: 'refused', reason: 'content', message: 'b failed' });
    }
    // Who deletes does not read the content.
    await c.take({ type: 'delete' });
    await c.decline({ type: 'delete' });
    await world.advanceWith(50_000, [a, b, c]);
    expect(await c.acquire()).toMatchObject({ kind: 'refused', reason: 'content' });
    await world.advanceWith(12_000, [a, b, c]);
    await c.take();
  });

  it('does not count two failures of the content with more than a minute between', async () => {
    const world = await start();
    const [a, b, c] = [await world.session('a'), await world.session('b'), await world.session('c')];
    await a.take();
    await a.fail('content');
    await world.advanceWith(62_000, [a, b, c]);
    await b.take();
    await b.fail('content');
    await c.take();
  });

  it('counts failures of the content anew after a success', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), await world.session('b')];
    await a.take();
    await a.fail('content');
    await a.take();
    await a.succeed();
    await a.take({ force: true });
    await a.fail('content');
    await b.take({ force: true });
  });

  it('gives a waiting delete its turn although the content failed', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), await world.session('b')];
    await a.take();
    await b.acquire({ type: 'delete' });
    await a.fail('content');
    await b.take({ type: 'delete' });
  });
}
