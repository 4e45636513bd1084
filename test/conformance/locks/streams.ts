import { expect, it } from 'vitest';
import { layer, otherLayer } from './layers.ts';
import type { Start } from './support.ts';

export function streamCases(start: Start): void {
  it('begins with all that the session holds and waits for', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), await world.session('b')];
    const token = await a.take();
    await b.take({ resourceId: otherLayer });
    await a.acquire({ resourceId: otherLayer });
    const { snapshot } = await a.watch();
    expect(snapshot.granted).toEqual([{ type: 'pull', resourceId: layer, token, waiters: 0 }]);
    expect(snapshot.queued).toMatchObject([{ resourceId: otherLayer, position: 1, holder: { nodeId: 'b' } }]);
  });

  it('tells a new place, and later moves within a second or so', async () => {
    const world = await start();
    const [a, b, c] = [await world.session('a'), await world.session('b'), await world.session('c')];
    const stream = await c.watch();
    await a.take();
    await b.acquire();
    await c.acquire();
    expect(await stream.until('queued')).toMatchObject({ position: 2, holder: { nodeId: 'a' } });
    await a.fail();
    await world.advance(2_000);
    expect(await stream.until('queued')).toMatchObject({ position: 1, holder: { nodeId: 'b' } });
  });

  it('tells those behind when a waiter leaves', async () => {
    const world = await start();
    const [a, b, c] = [await world.session('a'), await world.session('b'), await world.session('c')];
    const stream = await c.watch();
    await a.take();
    await b.acquire();
    await c.acquire();
    expect(await stream.until('queued')).toMatchObject({ position: 2 });
    await b.decline();
    await world.advance(2_000);
    expect(await stream.until('queued')).toMatchObject({ position: 1, holder: { nodeId: 'a' } });
  });

  it('shows a grant to who reconnects after it was made', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), await world.session('b')];
    const first = await b.watch();
    await a.take();
    await b.acquire();
    await first.stop();
    await a.fail();
    const { snapshot } = await b.watch();
    expect(snapshot.granted).toMatchObject([{ resourceId: layer, waiters: 0 }]);
    expect(snapshot.queued).toEqual([]);
  });

  it('gives a sign of life while nothing happens', async () => {
    const world = await start();
    const a = await world.session('a');
    const stream = await a.watch();
    await world.advance(6_000);
    expect(await stream.until('ping')).toEqual({ kind: 'ping' });
  });

  it('ends when the session is closed', async () => {
    const world = await start();
    const a = await world.session('a');
    const stream = await a.watch();
    await a.close();
    expect(await stream.next()).toBeUndefined();
  });

  it('ends when its signal aborts, and leaves the session alone', async () => {
    const world = await start();
    const a = await world.session('a');
    const stream = await a.watch();
    await stream.stop();
    expect(await stream.next()).toBeUndefined();
    await a.take();
  });

  it('tells a session that is taken for lost what it lost', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), await world.session('b')];
    const stream = await a.watch();
    const token = await a.take();
    await world.advanceWith(16_000, [b]);
    expect(await stream.until('revoked')).toMatchObject({ resourceId: layer, token });
    expect(await stream.next()).toBeUndefined();
  });

  it('tells the same to each stream of a session', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), await world.session('b')];
    const streams = [await b.watch(), await b.watch()];
    await a.take();
    await b.acquire();
    await a.succeed();
    for (const stream of streams) expect(await stream.until('completed')).toMatchObject({ type: 'pull' });
  });

  it('does nothing for a request that is aborted before it began', async () => {
    const world = await start();
    const a = await world.session('a');
    const reason = new Error('never mind');
    const { locks } = world;
    const request = { type: 'pull' as const, resourceId: layer, nodeId: a.nodeId };
    await expect(locks.acquire(request, AbortSignal.abort(reason))).rejects.toBe(reason);
    await expect(locks.list({}, AbortSignal.abort(reason))).rejects.toBe(reason);
    await a.take();
  });

  it('ends its streams when it is closed, and may be closed twice', async () => {
    const world = await start();
    const a = await world.session('a');
    const stream = await a.watch();
    const ended = stream.next().then(
      (event) => event === undefined,
      () => true,
    );
    await world.locks.close();
    await world.locks.close();
    expect(await ended).toBe(true);
  });
}
