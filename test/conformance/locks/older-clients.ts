import { expect, it } from 'vitest';
import type { Digest } from '../../../src/core/digest.ts';
import type { Locks, ResourceEvent } from '../../../src/lock/locks.ts';
import { layer } from './layers.ts';
import type { Start } from './support.ts';

export function olderClientCases(start: Start): void {
  it('are known by their node, ask again as they like, and share the domain default', async () => {
    const world = await start();
    const [a, b] = [world.older('a'), world.older('b')];
    const token = await a.take();
    expect(await world.older('a').take()).toBe(token);
    expect(await b.acquire()).toMatchObject({ kind: 'queued', position: 1, holder: { nodeId: 'a' } });
    expect(await (await world.session('c')).acquire()).toMatchObject({ kind: 'queued', position: 2 });
    expect(await a.status()).toMatchObject({ acquired: true, completed: false, view: { domain: 'default' } });
  });

  it('claim a grant by asking how it stands', async () => {
    const world = await start();
    const [a, b, c] = [world.older('a'), world.older('b'), world.older('c')];
    await a.take();
    await b.acquire();
    await c.acquire();
    await a.fail();
    expect(await b.status()).toMatchObject({ acquired: true, completed: false });
    await world.advance(11_000);
    expect((await b.status()).acquired).toBe(true);
    expect(await c.status()).toMatchObject({ acquired: false, completed: false });
  });

  it('keep a lock ten minutes after their last request about it', async () => {
    const world = await start();
    const [a, b] = [world.older('a'), world.older('b')];
    await a.take();
    await world.advance(590_000);
    await a.status();
    await world.advance(590_000);
    expect(await b.acquire()).toMatchObject({ kind: 'queued', holder: { nodeId: 'a' } });
    for (let passedMs = 0; passedMs < 20_000; passedMs += 4_000) {
      await world.advance(4_000);
      await b.status();
    }
    expect((await b.status()).acquired).toBe(true);
  });

  it('keep a place fifteen seconds after their last request', async () => {
    const world = await start();
    const [a, b, c] = [world.older('a'), world.older('b'), world.older('c')];
    await a.take();
    await b.acquire();
    await c.acquire();
    await world.advance(14_000);
    expect((await c.status()).view.queue).toHaveLength(2);
    await world.advance(2_000);
    expect((await c.status()).view.queue).toMatchObject([{ nodeId: 'c', position: 1 }]);
    await world.advance(14_000);
    expect(await c.acquire()).toMatchObject({ kind: 'queued', position: 1 });
    await world.advance(14_000);
    expect((await a.status()).view.queue).toMatchObject([{ nodeId: 'c', position: 1 }]);
  });

  it('who come back to ask when there is no room are told so, and get a place once there is', async () => {
    const world = await start({ maxQueue: 1 });
    const [a, b, c] = [world.older('a'), world.older('b'), world.older('c')];
    await a.take();
    await b.acquire();
    await world.advance(16_000);
    await c.acquire();
    for (let time = 0; time < 2; time += 1) {
      expect(await b.status()).toMatchObject({ acquired: false, error: expect.stringContaining('1 wait') });
    }
    await a.fail();
    await c.take();
    const { error, view } = await b.status();
    expect(error).toBeUndefined();
    expect(view.queue).toMatchObject([{ nodeId: 'b', position: 1 }]);
  });

  it('who come back to ask after a place that lapsed get one at the end', async () => {
    const world = await start();
    const [a, b, c] = [world.older('a'), world.older('b'), world.older('c')];
    await a.take();
    await b.acquire();
    await world.advance(16_000);
    await c.acquire();
    expect((await b.status()).view.queue).toMatchObject([{ nodeId: 'c' }, { nodeId: 'b' }]);
    await c.fail();
    await a.fail();
    await c.take();
    await c.fail();
    expect((await b.status()).acquired).toBe(true);
  });

  it('who wait for content that failed are told so, and may ask again', async () => {
    const world = await start();
    const [a, b] = [world.older('a'), world.older('b')];
    await a.take();
    await b.acquire();
    await a.fail('content');
    expect(await b.status()).toMatchObject({ acquired: false, success: false, error: 'a failed' });
    await b.take();
    expect((await b.status()).error).toBeUndefined();
  });

  it('see no end of the operation while another tries it', async () => {
    const world = await start();
    const [a, b, c] = [world.older('a'), world.older('b'), world.older('c')];
    await a.take();
    await b.acquire();
    await c.acquire();
    await a.fail();
    expect(await c.status()).toMatchObject({ acquired: false, completed: false });
    await b.take();
    await b.succeed();
    expect(await c.status()).toMatchObject({ acquired: false, completed: true, success: true });
  });

  it('who listen hear how it stands, hand-overs and the end', async () => {
    const world = await start();
    const [a, b] = [world.older('a'), world.older('b')];
    await a.take();
    await b.acquire();
    const stream = await listen(world.locks, layer);
    expect(await stream.next()).toMatchObject({ nodeId: 'a', success: false, error: '' });
    await a.fail();
    const handOver = await stream.until(({ nodeId }) => nodeId === 'b');
    expect(handOver).toMatchObject({ type: 'pull', resourceId: layer, success: false, error: '' });
    expect(handOver.completedAtMs).toBeUndefined();
    await b.take();
    await b.succeed();
    const end = await stream.until(({ success }) => success);
    expect(end).toMatchObject({ nodeId: 'b', error: '' });
    expect(end.completedAtMs).toBeGreaterThan(1_000_000_000_000);
    await stream.stop();
    const late = await listen(world.locks, layer);
    expect(await late.next()).toMatchObject({ nodeId: 'b', success: true });
    await late.stop();
  });

  it('who listen hear that a holder was lost, and who is next', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), world.older('b')];
    await a.take();
    await b.acquire();
    const stream = await listen(world.locks, layer);
    expect(await stream.next()).toMatchObject({ nodeId: 'a' });
    await a.close();
    expect(await stream.next()).toMatchObject({
      nodeId: 'a',
      success: false,
      error: 'the session was closed',
    });
    expect(await stream.next()).toMatchObject({ nodeId: 'b', success: false, error: '' });
    await stream.stop();
  });

  it('who listen keep their places without asking', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), world.older('b')];
    await a.take();
    await b.acquire();
    const stream = await listen(world.locks, layer);
    expect(await stream.next()).toMatchObject({ nodeId: 'a' });
    await world.advanceWith(60_000, [a]);
    expect((await a.status()).view.queue).toMatchObject([{ nodeId: 'b' }]);
    await stream.stop();
  });

  it('who listen and wait are called by name when the content failed', async () => {
    const world = await start();
    const [a, b] = [world.older('a'), world.older('b')];
    await a.take();
    await b.acquire();
    const stream = await listen(world.locks, layer);
    expect(await stream.next()).toMatchObject({ nodeId: 'a' });
    await a.fail('content');
    expect(await stream.until(({ nodeId }) => nodeId === 'b')).toMatchObject({ success: false });
    await b.take();
    await stream.stop();
  });
}

async function listen(locks: Locks, resourceId: Digest) {
  const stopping = new AbortController();
  const events = locks.watchResource('pull', resourceId, stopping.signal)[Symbol.asyncIterator]();
  const next = async (): Promise<ResourceEvent> => {
    const { done, value } = await events.next();
    if (done) throw new Error('the stream ended');
    return value;
  };
  return {
    next,
    async until(wanted: (event: ResourceEvent) => boolean): Promise<ResourceEvent> {
      for (;;) {
        const event = await next();
        if (wanted(event)) return event;
      }
    },
    async stop() {
      stopping.abort();
      await events.return?.();
    },
  };
}
