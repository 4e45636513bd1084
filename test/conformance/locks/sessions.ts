import { expect, it } from 'vitest';
import { toNodeId, toSessionId, toStoreId, toToken } from '../../../src/core/ids.ts';
import { codeOf } from './actor.ts';
import { layer, otherLayer } from './layers.ts';
import type { Start } from './support.ts';

export function sessionCases(start: Start): void {
  it('opens a session, tells its bounds, and gives each its own id', async () => {
    const { locks } = await start();
    const one = await locks.openSession({ nodeId: toNodeId('a') });
    const two = await locks.openSession({ nodeId: toNodeId('a') });
    expect(one).toMatchObject({ ttlMs: 15_000, heartbeatMs: 5_000, claimMs: 10_000 });
    expect(two.sessionId).not.toBe(one.sessionId);
  });

  it('opens a session under the id it is given, as often as it is asked', async () => {
    const world = await start();
    const sessionId = toSessionId('my-session');
    const a = await world.session('a', { sessionId });
    expect(a.sessionId).toBe(sessionId);
    const token = await a.take();
    const again = await world.session('a', { sessionId });
    expect(await again.take()).toBe(token);
  });

  it('opens no more sessions than it has room for, and loses none over it', async () => {
    const world = await start({ maxSessions: 2 });
    const [a, b] = [await world.session('a'), await world.session('b')];
    await a.take();
    expect(await codeOf(world.locks.openSession({ nodeId: toNodeId('c') }))).toBe('lock_unreachable');
    await a.renew();
    await b.close();
    const c = await world.session('c');
    expect(await c.acquire()).toMatchObject({ kind: 'queued', holder: { nodeId: 'a' } });
  });

  it('knows no session that was not opened', async () => {
    const { locks } = await start();
    const sessionId = toSessionId('never-opened');
    const request = { type: 'pull' as const, resourceId: layer, nodeId: toNodeId('a'), sessionId };
    expect(await codeOf(locks.acquire(request))).toBe('session_unknown');
    expect(await codeOf(locks.release({ ...request, outcome: { success: true } }))).toBe('session_unknown');
    expect(await codeOf(locks.decline(request))).toBe('session_unknown');
    expect(await codeOf(locks.status(request))).toBe('session_unknown');
    expect(await codeOf(locks.renew(sessionId, { held: [] }))).toBe('session_unknown');
    const stream = locks.watch(sessionId, new AbortController().signal)[Symbol.asyncIterator]();
    expect(await codeOf(stream.next())).toBe('session_unknown');
    await locks.closeSession(sessionId);
  });

  it('frees what a closed session held, and its places', async () => {
    const world = await start();
    const [a, b, c] = [await world.session('a'), await world.session('b'), await world.session('c')];
    await a.take();
    await b.acquire();
    await c.acquire();
    await b.close();
    await a.close();
    await a.close();
    await c.take();
    expect(await codeOf(a.acquire())).toBe('session_unknown');
  });

  it('takes what it held from a session without heartbeats', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), await world.session('b')];
    await a.take();
    await b.acquire();
    await world.advanceWith(14_000, [b]);
    expect((await b.status()).acquired).toBe(false);
    await world.advanceWith(2_000, [b]);
    await b.take();
    expect(await codeOf(a.acquire())).toBe('session_unknown');
    expect((await b.status()).view.lastError?.nodeId).toBe('a');
  });

  it('keeps a session with heartbeats as long as it likes', async () => {
    const world = await start();
    const a = await world.session('a');
    const token = await a.take();
    await world.advanceWith(60_000, [a]);
    expect(await a.take()).toBe(token);
  });

  it('takes a session whose stream broke for lost when no request follows within the grace', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), await world.session('b')];
    const stream = await a.watch();
    await a.take();
    await b.acquire();
    await stream.stop();
    let spentMs = 0;
    for (; spentMs < 12_000 && !(await b.status()).acquired; spentMs += 500) {
      await world.advanceWith(500, [b]);
    }
    expect(spentMs).toBeGreaterThanOrEqual(5_000);
    expect(spentMs).toBeLessThan(12_000);
  });

  it('passes a grant on that nobody claims', async () => {
    const world = await start();
    const [a, b, c] = [await world.session('a'), await world.session('b'), await world.session('c')];
    const stream = await b.watch();
    await a.take();
    await b.acquire();
    await c.acquire();
    await a.fail();
    await world.advanceWith(9_000, [a, b, c]);
    expect((await c.status()).acquired).toBe(false);
    await world.advanceWith(2_000, [a, b, c]);
    const { token } = await stream.until('granted');
    expect(await stream.until('revoked')).toMatchObject({ type: 'pull', token });
    await c.take();
    expect(await b.acquire()).toMatchObject({ kind: 'queued', position: 1 });
  });

  it('takes asking for the lock again for the claim of a grant', async () => {
    const world = await start();
    const [a, b, c] = [await world.session('a'), await world.session('b'), await world.session('c')];
    await a.take();
    await b.acquire();
    await c.acquire();
    await a.fail();
    const token = await b.take();
    for (let passedMs = 0; passedMs < 12_000; passedMs += 4_000) {
      await world.advance(4_000);
      await b.renew([]);
      await c.renew([]);
    }
    expect(await b.take()).toBe(token);
  });

  it('takes a heartbeat that lists a grant for its claim', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), await world.session('b')];
    await a.take();
    await b.acquire();
    await a.fail();
    const [grant] = (await b.renew()).granted;
    expect(grant).toMatchObject({ type: 'pull', resourceId: layer, waiters: 0 });
    const held = [
      { type: 'pull' as const, resourceId: layer, token: grant?.token ?? toToken(0), offset: 7, total: 9 },
    ];
    for (let passedMs = 0; passedMs < 20_000; passedMs += 4_000) {
      await b.renew(held);
      await world.advance(4_000);
    }
    const { acquired, view } = await b.status();
    expect(acquired).toBe(true);
    expect(view.holder).toMatchObject({ nodeId: 'b', offset: 7, total: 9 });
  });

  it('answers a heartbeat with all that the session holds and waits for', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), await world.session('b')];
    const token = await a.take();
    const other = await b.take({ resourceId: otherLayer });
    await a.acquire({ resourceId: otherLayer });
    await b.renew([{ type: 'pull', resourceId: otherLayer, token: other, offset: 30, total: 90 }]);
    expect(await a.renew()).toEqual({
      granted: [{ type: 'pull', resourceId: layer, token, waiters: 0 }],
      queued: [
        {
          type: 'pull',
          resourceId: otherLayer,
          position: 1,
          holder: { nodeId: 'b', sessionId: b.sessionId },
          progress: { offset: 30, total: 90 },
        },
      ],
    });
  });

  it('revokes a lock that a heartbeat lists and that is another’s', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), await world.session('b')];
    const stream = await a.watch();
    const token = await a.take();
    await b.acquire();
    await a.fail();
    await b.take();
    const held = [{ type: 'pull' as const, resourceId: layer, token, offset: 1, total: 2 }];
    expect((await a.renew(held)).granted).toEqual([]);
    expect(await stream.until('revoked')).toMatchObject({ type: 'pull', resourceId: layer, token });
    expect((await b.status()).acquired).toBe(true);
  });

  it('moves a session to another store when it opens again with one', async () => {
    const world = await start();
    const [sessionId, storeId] = [toSessionId('moved'), toStoreId('copy')];
    const [a, b] = [await world.session('a', { sessionId }), await world.session('b')];
    await a.take();
    await b.acquire();
    const moved = await world.session('a', { sessionId, storeId });
    await b.take();
    expect(await moved.acquire()).toMatchObject({ kind: 'granted' });
  });

  it('leaves a session what it holds when it moves to another store, and nobody of the store before', async () => {
    const world = await start();
    const [sessionId, storeId] = [toSessionId('moved'), toStoreId('copy')];
    const [a, b] = [await world.session('a', { sessionId }), await world.session('b')];
    const token = await a.take();
    await b.acquire();
    const stream = await a.watch();
    await world.locks.openSession({ nodeId: a.nodeId, sessionId, storeId });
    await b.take();
    const c = await world.session('c', { storeId });
    expect(await c.acquire()).toMatchObject({ kind: 'queued', holder: { sessionId } });
    expect((await a.renew()).granted).toMatchObject([{ resourceId: layer, token }]);
    expect(await a.succeed({ token })).toEqual({ kind: 'released' });
    expect(await c.acquire()).toMatchObject({ kind: 'skip', by: { sessionId } });
    expect((await b.status()).acquired).toBe(true);
    await c.take({ resourceId: otherLayer });
    await a.acquire({ resourceId: otherLayer });
    expect(await stream.next()).toMatchObject({ kind: 'queued', resourceId: otherLayer });
  });

  it('takes what a session holds from it when it moves to a store where another holds it', async () => {
    const world = await start();
    const [sessionId, storeId] = [toSessionId('moved'), toStoreId('copy')];
    const [a, b] = [await world.session('a', { sessionId }), await world.session('b', { storeId })];
    const stream = await a.watch();
    const token = await a.take();
    await b.take();
    await world.session('a', { sessionId, storeId });
    expect(await stream.until('revoked')).toMatchObject({ type: 'pull', resourceId: layer, token });
    expect(await a.acquire()).toMatchObject({ kind: 'queued', holder: { nodeId: 'b' } });
  });

  it('lets a session wait for the same when it moves to another store, and grants what is free there', async () => {
    const world = await start();
    const [sessionId, storeId] = [toSessionId('moved'), toStoreId('copy')];
    const [a, b] = [await world.session('a'), await world.session('b', { storeId })];
    const moving = await world.session('c', { sessionId });
    await a.take();
    await a.take({ resourceId: otherLayer });
    await b.take({ resourceId: otherLayer });
    await moving.acquire();
    await moving.acquire({ resourceId: otherLayer });
    const stream = await moving.watch();
    await world.session('c', { sessionId, storeId });
    expect(await stream.until('granted')).toMatchObject({ resourceId: layer, waiters: 0 });
    expect(await stream.until('queued')).toMatchObject({
      resourceId: otherLayer,
      position: 1,
      holder: { nodeId: 'b' },
    });
    await moving.take();
    await a.succeed({ resourceId: otherLayer });
    await b.succeed({ resourceId: otherLayer });
    expect(await stream.until('completed')).toMatchObject({ resourceId: otherLayer, by: { nodeId: 'b' } });
  });

  it('tells a session that waits what is done already in the store that it moves to', async () => {
    const world = await start();
    const [sessionId, storeId] = [toSessionId('moved'), toStoreId('copy')];
    const [a, b] = [await world.session('a'), await world.session('b', { storeId })];
    const moving = await world.session('c', { sessionId });
    await b.take();
    await b.succeed();
    await a.take();
    await moving.acquire();
    const stream = await moving.watch();
    await world.session('c', { sessionId, storeId });
    expect(await stream.until('completed')).toMatchObject({ resourceId: layer, by: { nodeId: 'b' } });
  });
}
