import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { toNodeId, toRequestId, toSessionId, toStoreId } from '../../../src/core/ids.ts';
import { createHttpLocks, type HttpLocksOptions } from '../../../src/lock/backends/http/http-locks.ts';
import { StreamMoved } from '../../../src/lock/stream-moved.ts';
import { onCleanup } from '../../support/cleanup.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { startFaultProxy } from '../../support/fault-proxy.ts';
import { startLockCluster } from '../../support/lock-cluster.ts';
import { layerRequest } from '../../support/session-stage.ts';

const never = new AbortController().signal;
const { type, resourceId } = layerRequest;
const sessionId = toSessionId('s-1');

/** A server of our own, and what it was asked. */
async function serveRaw(listener: RequestListener) {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    listener(request, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onCleanup(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`), requests };
}

function clientOf(servers: readonly URL[], options: Partial<HttpLocksOptions> = {}) {
  const inOrder = { servers, version: '0.0.0', clock: systemClock, random: () => 0 };
  const locks = createHttpLocks({ ...inOrder, ...options });
  onCleanup(() => locks.close());
  return locks;
}

describe('a request whose answer is lost with its server', () => {
  it('is answered by the next one as it was there: nothing is enqueued or granted twice', async () => {
    const cluster = await startLockCluster(2);
    const [first, second] = cluster.urls;
    if (!first || !second) throw new Error('there are two');
    const proxy = await startFaultProxy(first.href);
    const node = (name: string) => ({ nodeId: toNodeId(name), storeId: toStoreId('store') });
    const holder = clientOf([second]);
    const waiter = clientOf([new URL(proxy.url), second]);
    const open = async (locks: typeof holder, name: string) => ({
      ...node(name),
      ...(await locks.openSession(node(name))),
    });
    const [one, two] = [await open(holder, 'node-a'), await open(waiter, 'node-b')];
    const ask = { type, resourceId };
    const lostGrant = proxy.loseReply('POST /lock');
    const requestId = toRequestId('r-1');
    const held = await waiter.acquire({ ...ask, nodeId: two.nodeId, sessionId: two.sessionId, requestId });
    await lostGrant;
    expect(held).toMatchObject({ kind: 'granted', token: 1 });
    const queued = { ...ask, nodeId: one.nodeId, sessionId: one.sessionId, requestId: toRequestId('r-2') };
    expect(await holder.acquire(queued)).toMatchObject({ kind: 'queued', position: 1 });
    if (held.kind !== 'granted') throw new Error('it was granted');
    const { token } = held;
    const outcome = { success: false, error: 'disk full', class: 'node' } as const;
    const lostRelease = clientOf([new URL(proxy.url), second]);
    const lost = proxy.loseReply('POST /unlock');
    const release = { ...ask, nodeId: two.nodeId, sessionId: two.sessionId, token, outcome };
    expect(await lostRelease.release(release)).toEqual({ kind: 'released' });
    await lost;
    expect(await holder.acquire(queued)).toMatchObject({ kind: 'granted', token: 2 });
    expect(cluster.service.counts()).toMatchObject({ held: 1, waiting: 0 });
  });
});

describe('a move', () => {
  it('is told once, with the server that failed and the one that answers', async () => {
    const cluster = await startLockCluster(3);
    const moves: string[][] = [];
    const onMove = (...urls: URL[]) => void moves.push(urls.map(({ origin }) => origin));
    const locks = cluster.client({ onMove });
    await cluster.servers[0]?.kill();
    await Promise.all(Array.from({ length: 5 }, () => locks.list({})));
    await cluster.servers[1]?.kill();
    await locks.list({});
    const [first, second, third] = cluster.urls.map(({ origin }) => origin);
    expect(moves).toEqual([
      [first, second],
      [second, third],
    ]);
  });
});

describe('servers that are silent', () => {
  it.each([2, 3, 5, 7])('are all asked within the time of a first contact, %i of them', async (count) => {
    const clock = createFakeClock();
    let arrived = 0;
    const silent = Array.from({ length: count }, () =>
      serveRaw(() => {
        arrived += 1;
      }),
    );
    const locks = clientOf(
      (await Promise.all(silent)).map(({ url }) => url),
      { clock },
    );
    const answer = locks.openSession({ nodeId: toNodeId('node-a') });
    answer.catch(() => {});
    for (let asked = 1; asked <= count; asked += 1) {
      await expect.poll(() => arrived).toBe(asked);
      if (asked < count) await clock.advance(Math.min(750, Math.floor(3_000 / count)));
    }
    expect(clock.now()).toBeLessThan(2_600);
  });
});

describe('a heartbeat', () => {
  it('is heard by the next server while the first is silent', async () => {
    const cluster = await startLockCluster(2);
    const locks = cluster.client();
    const { sessionId: opened } = await locks.openSession({ nodeId: toNodeId('node-a') });
    cluster.servers[0]?.freeze();
    expect(await locks.renew(opened, { held: [] })).toMatchObject({ granted: [], queued: [] });
    expect(cluster.servers[1]?.calls).toEqual(['renew']);
  });
});

describe('the stream of a session', () => {
  const streaming =
    (text: string): RequestListener =>
    (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(text, () => response.destroy());
    };
  const read = async (locks: ReturnType<typeof clientOf>) => {
    for await (const _ of locks.watch(sessionId, never));
  };
  const lastIds = (requests: readonly IncomingMessage[]) =>
    requests.map(({ headers }) => headers['last-event-id']);

  it('tells a server nothing of what another one said, and does not wait as that one asked', async () => {
    const first = await serveRaw(streaming('retry: 600000\n\nid: 7\nevent: ping\ndata: {}\n\n'));
    const second = await serveRaw(streaming('id: 3\nevent: ping\ndata: {}\n\n'));
    const locks = clientOf([first.url, second.url]);
    await expect(read(locks)).rejects.toBeInstanceOf(StreamMoved);
    const ended = read(locks);
    await expect(ended).rejects.toMatchObject({ code: 'lock_unreachable' });
    expect([lastIds(first.requests), lastIds(second.requests)]).toEqual([[undefined], [undefined]]);
  });

  it('moves on at most once to each: then it is as broken as that of a lone server', async () => {
    const servers = await Promise.all([1, 2, 3].map(() => serveRaw(streaming(': nothing\n\n'))));
    const locks = clientOf(servers.map(({ url }) => url));
    const ends: boolean[] = [];
    for (let round = 0; round < 5; round += 1) {
      const error = await read(locks).catch((reason: unknown) => reason);
      ends.push(error instanceof StreamMoved);
    }
    expect(ends).toEqual([true, true, false, false, false]);
    expect(servers.map(({ requests }) => requests.length)).toEqual([2, 2, 1]);
  });

  it('is never moved from a lone server', async () => {
    const { url } = await serveRaw(streaming(': nothing\n\n'));
    const error = await read(clientOf([url])).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'lock_unreachable' });
    expect(error).not.toBeInstanceOf(StreamMoved);
  });
});

describe('what is said when no server is left', () => {
  it('names the last one, and how many were tried, in one line', async () => {
    const full: RequestListener = (_, response) =>
      void response.writeHead(503).end('{"error":"x","message":"the lock service is away"}');
    const { url } = await serveRaw(full);
    const { url: gone } = await serveRaw((request) => void request.socket.destroy());
    const timeouts = { retries: 0 };
    const refused = clientOf([url, gone], { timeouts }).list({});
    await expect(refused).rejects.toMatchObject({
      code: 'lock_unreachable',
      message: `cannot reach the lock server ${gone.origin}: connection closed (the last of 2 lock servers that were tried)`,
    });
    const away = clientOf([gone, url], { timeouts }).list({});
    await expect(away).rejects.toMatchObject({
      code: 'lock_unreachable',
      message: `the lock server ${url.origin} failed GET /locks with status 503: the lock service is away (the last of 2 lock servers that were tried)`,
    });
    const alone = clientOf([url], { timeouts }).list({});
    await expect(alone).rejects.toMatchObject({
      message: `the lock server ${url.origin} failed GET /locks with status 503: the lock service is away`,
    });
  });
});

describe('what a fleet shows its lock servers', () => {
  it('goes to those that were named, and follows none of them elsewhere', async () => {
    const stranger = await serveRaw((_, response) => void response.end('{"locks":[]}'));
    const guide = await serveRaw(
      (_, response) => void response.writeHead(307, { location: stranger.url.href }).end(),
    );
    const down = await serveRaw((_, response) => void response.writeHead(503).end());
    const trust = { token: () => 'secret', look: () => {}, tls: () => undefined };
    const locks = clientOf([down.url, guide.url], { trust });
    await expect(locks.list({})).rejects.toMatchObject({ code: 'lock_protocol' });
    const shown = [down, guide].map(({ requests }) => requests.map(({ headers }) => headers.authorization));
    expect(shown).toEqual([['Bearer secret'], ['Bearer secret']]);
    expect(stranger.requests).toEqual([]);
  });
});
