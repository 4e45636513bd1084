import { expect, it } from 'vitest';
import { toStoreId } from '../../../src/core/ids.ts';
import type { AcquireReply } from '../../../src/lock/locks.ts';
import type { Actor } from './actor.ts';
import { layer, otherLayer } from './layers.ts';
import type { Start, World } from './support.ts';

const registry = { kind: 'registry' };
const urlOf = (node: string) => `http://${node}.example:7041`;

/** A node with a store of its own, which it serves. */
async function sharing(world: World, node: string, zone = 'z'): Promise<Actor> {
  return await world.session(node, { storeId: toStoreId(`store of ${node}`), url: urlOf(node), zone });
}

const from = (actor: Actor, complete: boolean) => ({
  ...{ kind: 'peer', url: urlOf(actor.nodeId), nodeId: actor.nodeId, sessionId: actor.sessionId, complete },
});

function sourceOf(reply: AcquireReply) {
  if (reply.kind !== 'granted') throw new Error(`not granted: ${JSON.stringify(reply)}`);
  return reply.source;
}

const pull = async (actor: Actor, resourceId = layer) => sourceOf(await actor.acquire({ resourceId }));

export function sourceCases(start: Start): void {
  it('are the registry for the first, and the first for those of other stores', async () => {
    const world = await start();
    const [a, b] = [await sharing(world, 'a'), await sharing(world, 'b')];
    expect(await pull(a)).toEqual(registry);
    expect(await pull(b)).toEqual(from(a, false));
    expect(await pull(b)).toEqual(from(a, false));
    expect((await a.renew()).children).toBe(1);
  });

  it('are the registry for everybody where nobody serves anything', async () => {
    const world = await start();
    for (const node of ['a', 'b', 'c']) {
      const one = await world.session(node, { storeId: toStoreId(node) });
      expect(await pull(one)).toEqual(registry);
    }
  });

  it('are complete copies rather than the registry', async () => {
    const world = await start();
    const [a, b, c] = [await sharing(world, 'a'), await sharing(world, 'b'), await sharing(world, 'c')];
    await pull(a);
    await a.succeed();
    expect(await pull(b)).toEqual(from(a, true));
    await c.tell({ announce: { add: [otherLayer], remove: [] } });
    expect(await pull(b, otherLayer)).toEqual(from(c, true));
  });

  it('are no copies that are gone, or of nodes that are about to go', async () => {
    const world = await start();
    const [a, b] = [await sharing(world, 'a'), await sharing(world, 'b')];
    await a.tell({ announce: { add: [layer, otherLayer], remove: [] } });
    await a.tell({ announce: { add: [], remove: [layer] } });
    expect(await pull(b)).toEqual(registry);
    await a.tell({ draining: true });
    expect(await pull(b, otherLayer)).toEqual(registry);
  });

  it('are copies of nodes that were about to go and stay after all', async () => {
    const world = await start();
    const [a, b] = [await sharing(world, 'a'), await sharing(world, 'b')];
    await a.tell({ announce: { add: [layer], remove: [] }, draining: true });
    await a.tell({ draining: false });
    expect(await pull(b)).toEqual(from(a, true));
  });

  it('stay when a reader asks who has all that its source has', async () => {
    const world = await start();
    const [a, b] = [await sharing(world, 'a'), await sharing(world, 'b')];
    await pull(a);
    await pull(b);
    await world.advance(2_500);
    expect(await b.sources(0, a)).toMatchObject({ kind: 'wait', retryMs: expect.any(Number) });
    await a.renew();
    expect(await b.sources(0, a)).toEqual({ kind: 'source', source: from(a, false) });
  });

  it('are others for a reader that was served badly, and for all after two of them', async () => {
    const world = await start();
    const [a, b, c] = [await sharing(world, 'a'), await sharing(world, 'b'), await sharing(world, 'c')];
    await a.tell({ announce: { add: [layer], remove: [] } });
    await pull(b);
    await pull(c);
    expect(await b.sources(0, a)).toEqual({ kind: 'source', source: from(c, false) });
    expect(await c.sources(0, a)).toEqual({ kind: 'source', source: registry });
    const d = await sharing(world, 'd');
    expect(sourceOf(await d.acquire())).not.toMatchObject({ nodeId: 'a' });
  });

  it('are told to those whose source is lost: the most advanced reads the registry, the others from it', async () => {
    const world = await start();
    const [a, b, c] = [await sharing(world, 'a'), await sharing(world, 'b'), await sharing(world, 'c')];
    for (const one of [a, b, c]) await pull(one);
    await b.renew();
    await c.renew();
    await c.renew();
    const [listening, other] = [await b.watch(), await c.watch()];
    const token = await c.take();
    await a.close();
    expect(await other.until('source')).toEqual({
      ...{ kind: 'source', type: 'pull', resourceId: layer, token, source: registry },
    });
    expect(await listening.until('source')).toMatchObject({ source: from(c, false) });
  });

  it('change when whoever reads the registry stands still, and not when it is slow', async () => {
    const world = await start();
    const [a, b] = [await sharing(world, 'a'), await sharing(world, 'b')];
    await pull(a);
    await pull(b);
    const listening = await b.watch();
    await world.advanceWith(60_000, [a, b]);
    expect(await pull(b)).toEqual(from(a, false));
    const still = { type: 'pull' as const, resourceId: layer, offset: 1, total: 9, token: await a.take() };
    for (let left = 24_000; left > 0; left -= 2_000) {
      await world.advance(2_000);
      await a.renew([still]);
      await b.renew();
    }
    expect(await listening.until('source')).toMatchObject({ source: registry });
    expect(await pull(a)).toEqual(from(b, false));
  });

  it('are not told to whoever does not hold the lock', async () => {
    const world = await start();
    const a = await sharing(world, 'a');
    await a.take();
    await a.succeed({});
    await a.acquire({ resourceId: otherLayer });
    const request = { sessionId: a.sessionId ?? never(), resourceId: layer, offset: 0 };
    const token = await a.take({ resourceId: otherLayer });
    expect(await world.locks.sources({ ...request, token })).toMatchObject({ kind: 'not-holder' });
  });

  it('are in the views of the resource, with the copies that nodes serve', async () => {
    const world = await start();
    const [a, b, c] = [await sharing(world, 'a'), await sharing(world, 'b'), await sharing(world, 'c')];
    await pull(a);
    await pull(b);
    await c.tell({ announce: { add: [layer], remove: [] } });
    const views = await world.locks.list({ prefix: layer });
    const shown = views.map(({ domain, holder, copies }) => ({ domain, source: holder?.source, copies }));
    expect(shown).toEqual([
      { domain: 'store of a', source: registry, copies: [] },
      { domain: 'store of b', source: from(a, false), copies: [] },
      {
        ...{ domain: 'store of c', source: undefined },
        copies: [{ nodeId: 'c', sessionId: c.sessionId, url: urlOf('c'), ageMs: expect.any(Number) }],
      },
    ]);
  });
}

function never(): never {
  throw new Error('it has no session');
}
