import { expect, it } from 'vitest';
import type { Token } from '../../../src/core/ids.ts';
import type { HeldProgress } from '../../../src/lock/locks.ts';
import type { Actor } from './actor.ts';
import { layer } from './layers.ts';
import type { Start, World } from './support.ts';

const at = (token: Token, offset: number, total: number): HeldProgress => ({
  ...{ type: 'pull', resourceId: layer },
  ...{ token, offset, total },
});

/** The holder tells the same again and again while time passes. */
async function repeat(world: World, holder: Actor, held: HeldProgress, ms: number, alive: readonly Actor[]) {
  for (let left = ms; left > 0; left -= 2_000) {
    await world.advance(Math.min(left, 2_000));
    await holder.renew([held]);
    for (const actor of alive) await actor.renew();
  }
}

export function progressCases(start: Start): void {
  it('standing still for 20 s gives way to the next one, who is told, as is the holder', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), await world.session('b')];
    const token = await a.take();
    await b.acquire();
    const [holding, waiting] = [await a.watch(), await b.watch()];
    await repeat(world, a, at(token, 5, 100), 18_000, [b]);
    expect(await b.acquire()).toMatchObject({ kind: 'queued' });
    await repeat(world, a, at(token, 5, 100), 6_000, [b]);
    expect(await holding.until('revoked')).toMatchObject({ token, reason: 'no progress for 20 s' });
    const granted = await waiting.until('granted');
    expect(granted.token).toBeGreaterThan(token);
    expect(await b.take()).toBe(granted.token);
  });

  it('that goes on, however slowly, keeps the lock', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), await world.session('b')];
    await a.take();
    await b.acquire();
    await world.advanceWith(120_000, [a, b]);
    expect(await b.acquire()).toMatchObject({ kind: 'queued', holder: { nodeId: 'a' } });
  });

  it('standing still while nobody waits harms nobody', async () => {
    const world = await start();
    const a = await world.session('a');
    const token = await a.take();
    await repeat(world, a, at(token, 5, 100), 60_000, []);
    expect(await a.take()).toBe(token);
  });

  it('at the end of a layer has ten times as long, to verify and publish it', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), await world.session('b')];
    const token = await a.take();
    await b.acquire();
    await repeat(world, a, at(token, 100, 100), 190_000, [b]);
    expect(await b.acquire()).toMatchObject({ kind: 'queued' });
    await repeat(world, a, at(token, 100, 100), 14_000, [b]);
    await b.take();
  });

  it('that is never told is not judged', async () => {
    const world = await start();
    const [a, b] = [await world.session('a'), await world.session('b')];
    const token = await a.take();
    await b.acquire();
    await repeat(world, a, at(token, 0, 0), 60_000, [b]);
    expect(await b.acquire()).toMatchObject({ kind: 'queued', holder: { nodeId: 'a' } });
  });
}
