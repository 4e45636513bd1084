import { expect, it } from 'vitest';
import { toNodeId, toStoreId } from '../../../src/core/ids.ts';
import type { Start } from './support.ts';

export function nodeCases(start: Start): void {
  it('lists each session with what it said of its node, and when it was last heard of', async () => {
    const world = await start();
    const said = {
      nodeId: toNodeId('a'),
      storeId: toStoreId('store-1'),
      url: 'http://10.0.0.1:5001',
      zone: 'rack-7',
    };
    const { sessionId } = await world.locks.openSession(said);
    await world.advance(3_000);
    expect(await world.locks.nodes()).toEqual([{ ...said, sessionId, state: 'online', lastSeenMs: 3_000 }]);
    await world.locks.renew(sessionId, { held: [] });
    expect(await world.locks.nodes()).toMatchObject([{ lastSeenMs: 0 }]);
  });

  it('shows a node that drains as draining, until it says otherwise', async () => {
    const world = await start();
    const { sessionId } = await world.locks.openSession({ nodeId: toNodeId('a') });
    await world.locks.renew(sessionId, { held: [], draining: true });
    await world.locks.renew(sessionId, { held: [] });
    expect(await world.locks.nodes()).toMatchObject([{ nodeId: 'a', state: 'draining' }]);
    await world.locks.renew(sessionId, { held: [], draining: false });
    expect(await world.locks.nodes()).toMatchObject([{ nodeId: 'a', state: 'online' }]);
  });

  it('shows a node as offline once its session ended, and for an hour', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), await world.session('b')];
    await a.close();
    await world.advanceWith(20_000, []);
    const nodes = await world.locks.nodes();
    expect(nodes.map(({ nodeId, state }) => `${nodeId} ${state}`)).toEqual(['b offline', 'a offline']);
    await world.advance(3_600_000);
    expect(await world.locks.nodes()).toEqual([]);
    expect(b.nodeId).toBe('b');
  });

  it('shows a node that came back once, with its new session', async () => {
    const world = await start();
    const [before] = [await world.session('a')];
    await before.close();
    const again = await world.session('a');
    expect(await world.locks.nodes()).toMatchObject([
      { nodeId: 'a', sessionId: again.sessionId, state: 'online' },
    ]);
  });

  it('shows two processes of one node as two', async () => {
    const world = await start();
    const [one] = [await world.session('a'), await world.session('a')];
    expect(await world.locks.nodes()).toHaveLength(2);
    await one.close();
    expect(await world.locks.nodes()).toMatchObject([{ nodeId: 'a', state: 'online' }]);
  });
}
