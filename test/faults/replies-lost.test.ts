import { describe, expect, it } from 'vitest';
import { withOwnCleanups } from '../support/cleanup.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { resourceNamed, startLockClient } from '../support/lock-client.ts';
import { lineUp, lockView } from '../support/lock-http.ts';
import { startLockServer } from '../support/lock-servers.ts';

const resource = resourceNamed('a layer');

/** A server, and two nodes that reach it through one that loses replies. */
async function start() {
  const { url } = await startLockServer({ ttlMs: 15_000 });
  const proxy = await startFaultProxy(url);
  const client = (nodeId: string) => startLockClient({ server: proxy.url, nodeId });
  const [one, two] = await Promise.all([client('one'), client('two')]);
  const answersTo = (what: string) => proxy.replies.filter((reply) => reply.what === what);
  return { url, proxy, one, two, answersTo };
}

describe('a reply that is lost', { timeout: 180_000 }, () => {
  it.concurrent('of a grant: the repeated request gets the same lock, and nobody waits for itself', () =>
    withOwnCleanups(async () => {
      const { url, proxy, one, answersTo } = await start();
      const lost = proxy.loseReply('POST /lock');
      const token = await one.hold(resource);
      await lost;
      expect(answersTo('POST /lock').map((reply) => reply.wasLost)).toEqual([true, false]);
      expect(await lineUp(url, resource)).toEqual(['one']);
      expect((await lockView(url, resource))?.holder?.token).toBe(token);
    }));

  it.concurrent('of a place: the repeated request gets the same place', () =>
    withOwnCleanups(async () => {
      const { url, proxy, one, two } = await start();
      await one.hold(resource);
      const lost = proxy.loseReply('POST /lock');
      expect(await two.queue(resource)).toBe(1);
      await lost;
      expect(await lineUp(url, resource)).toEqual(['one', 'two']);
    }));

  it.concurrent('of a claim: the repeated request keeps the grant', () =>
    withOwnCleanups(async () => {
      const { url, proxy, one, two } = await start();
      const before = await one.hold(resource);
      await two.queue(resource);
      const lost = proxy.loseReply('POST /lock');
      await one.release(resource, 'disk full');
      const token = await two.granted();
      await lost;
      expect(token).toBeGreaterThan(before);
      expect(await lineUp(url, resource)).toEqual(['two']);
      expect((await lockView(url, resource))?.holder?.token).toBe(token);
    }));

  it.concurrent.each([
    { outcome: 'success', error: undefined, next: 'skip' as const },
    { outcome: 'failure', error: 'disk full', next: 'granted' as const },
  ])(
    'of a release with $outcome: the repeated one is answered as the first, and ends nothing else',
    (given) =>
      withOwnCleanups(async () => {
        const { url, proxy, one, two, answersTo } = await start();
        await one.hold(resource);
        await two.queue(resource);
        const lost = proxy.loseReply('POST /unlock');
        await one.release(resource, given.error);
        await lost;
        const [first, second] = answersTo('POST /unlock');
        expect([first, second]).toMatchObject([
          { status: 200, wasLost: true },
          { status: 200, wasLost: false },
        ]);
        await two.next(given.next);
        expect(await lineUp(url, resource)).toEqual(given.next === 'granted' ? ['two'] : []);
      }),
  );
});
