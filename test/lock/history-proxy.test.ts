import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { onCleanup } from '../support/cleanup.ts';
import { get } from '../support/get.ts';
import { type Faults, noFaults, startFaultyProxy } from '../support/history/faulty-proxy.ts';

/** A server that counts its requests, behind a proxy with these faults. */
async function start(faults: Partial<Faults>) {
  const seen: string[] = [];
  const server = http.createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    response.end('here you are');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onCleanup(() => void server.close());
  onCleanup(() => server.closeAllConnections());
  const cuts: boolean[] = [];
  /** How many requests had come when a piece of a reply was handed on. */
  const replies: number[] = [];
  const proxy = await startFaultyProxy({
    target: () => (server.address() as AddressInfo).port,
    faults: () => ({ ...noFaults, ...faults }),
    random: () => 0.5,
    onCut: (isStream) => cuts.push(isStream),
    onReply: () => replies.push(seen.length),
  });
  onCleanup(() => proxy.close());
  const ask = async (path: string) => (await get(new URL(path, proxy.url).href)).text;
  const heard = new Promise<void>((resolve) => server.once('request', () => resolve()));
  return { ask, seen, cuts, replies, proxy, heard };
}

describe('a proxy that does harm', () => {
  it('hands on what it gets while no fault is due', async () => {
    const { ask, seen, cuts, replies } = await start({});
    expect(await ask('/one')).toBe('here you are');
    expect(seen).toEqual(['GET /one']);
    expect(cuts).toEqual([]);
    expect(new Set(replies)).toEqual(new Set([1]));
  });

  it('hands it on late', async () => {
    const { ask } = await start({ delay: 1 });
    expect(await ask('/one')).toBe('here you are');
  });

  it('loses requests before the server hears of them', async () => {
    const { ask, seen, cuts } = await start({ loseRequest: 1 });
    await expect(ask('/one')).rejects.toThrow();
    expect(seen).toEqual([]);
    expect(cuts).toEqual([false]);
  });

  it.each(['loseReply', 'sever'] as const)(
    'lets the server hear what then has no answer (%s)',
    async (fault) => {
      const { ask, seen, heard, replies } = await start({ [fault]: 1 });
      await expect(ask('/one')).rejects.toThrow();
      await heard;
      expect(seen).toEqual(['GET /one']);
      expect(replies).toEqual([]);
    },
  );

  it('says which connections were streams of events', async () => {
    const { ask, cuts } = await start({ loseReply: 1 });
    await expect(ask('/lock/subscribe?session=s')).rejects.toThrow();
    expect(cuts).toEqual([true]);
  });

  it('ends all connections when it is told to', async () => {
    const { ask, proxy, cuts } = await start({});
    await ask('/one');
    proxy.cut();
    expect(cuts).toEqual([false]);
    expect(await ask('/two')).toBe('here you are');
  });
});
