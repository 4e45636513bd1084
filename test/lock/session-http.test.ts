import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { toNodeId, toStoreId } from '../../src/core/ids.ts';
import { createHttpLocks } from '../../src/lock/backends/http/http-locks.ts';
import { createMemoryLocks } from '../../src/lock/backends/memory.ts';
import { type LockSession, openLockSession } from '../../src/lock/session.ts';
import { onCleanup } from '../support/cleanup.ts';
import { patienceMs } from '../support/patience.ts';
import { holdOf, layerRequest, placeOf, success } from '../support/session-stage.ts';
import { serve, stopServers } from './server/support.ts';

const failed = { success: false, error: 'disk full', class: 'node' } as const;

/** A proxy before a lock server that lets everything through but streams. */
async function startProxy(target: string) {
  const state = { breaksStreams: true, refused: 0, open: 0 };
  const server = http.createServer((request, response) => {
    const isStream = request.url?.startsWith('/lock/subscribe') === true;
    if (isStream && state.breaksStreams) {
      state.refused += 1;
      return void response.writeHead(502).end();
    }
    const { method, headers } = request;
    const upstream = http.request(target + request.url, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      if (isStream) state.open += 1;
      pipeline(answer, response, () => {});
    });
    upstream.on('error', () => response.destroy());
    response.on('close', () => upstream.destroy());
    pipeline(request, upstream, () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onCleanup(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, state };
}

async function setUp() {
  const service = createMemoryLocks({ clock: systemClock, recoveryMs: 0 });
  onCleanup(() => service.close());
  const { url } = await serve(service);
  const proxy = await startProxy(url);
  const open = (name: string): LockSession => {
    const locks = createHttpLocks({ servers: [new URL(proxy.url)], version: '0.0.0', clock: systemClock });
    onCleanup(() => locks.close());
    const session = openLockSession({
      ...{ locks, clock: systemClock, nodeId: toNodeId(name), storeId: toStoreId('store') },
      bounds: { pollMs: 20, reconnectMs: 20, maxReconnectMs: 40 },
    });
    onCleanup(() => session.close());
    return session;
  };
  return { service, proxy: proxy.state, open };
}

describe('sessions behind a proxy that breaks streams', () => {
  afterEach(stopServers);

  it('hand a lock over, skip what is done, hear of a failure, and go back to streams', async () => {
    const { service, proxy, open } = await setUp();
    const signal = AbortSignal.timeout(patienceMs);
    const [a, b, c] = [open('node-a'), open('node-b'), open('node-c')];
    const first = holdOf(await a.acquire(layerRequest, signal));
    const second = placeOf(await b.acquire(layerRequest, signal));
    const third = placeOf(await c.acquire(layerRequest, signal));
    await first.release(failed);
    expect(await second.next(signal)).toMatchObject({ kind: 'granted', waiters: 1 });
    const hold = holdOf(await b.acquire(layerRequest, signal));

    const moved = await third.next(signal);
    const ended = moved.kind === 'moved' ? third.next(signal) : Promise.resolve(moved);
    await hold.release(success);
    expect(await ended).toEqual({ kind: 'ended' });
    expect(await c.acquire(layerRequest, signal)).toMatchObject({ kind: 'skip', by: { nodeId: 'node-b' } });

    const other = { ...layerRequest, type: 'update' } as const;
    const update = holdOf(await a.acquire(other, signal));
    const waiting = placeOf(await b.acquire(other, signal));
    await update.release({ success: false, error: 'wrong bytes', class: 'content' });
    expect(await waiting.next(signal)).toEqual({ kind: 'ended' });

    expect(proxy).toMatchObject({ open: 0 });
    expect(proxy.refused).toBeGreaterThan(3);
    proxy.breaksStreams = false;
    await expect.poll(() => proxy.open).toBe(3);
    expect(service.counts()).toMatchObject({ sessions: 3, held: 0, waiting: 0 });
    const again = { ...layerRequest, force: true };
    const held = holdOf(await a.acquire(again, signal));
    const last = placeOf(await b.acquire(again, signal));
    await held.release(success);
    expect(await last.next(signal)).toEqual({ kind: 'ended' });
    await Promise.all([a, b, c].map((session) => session.close()));
    expect(service.counts()).toMatchObject({ sessions: 0, held: 0, waiting: 0 });
  });
});
