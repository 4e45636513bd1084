import { Agent } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { deferred } from '../../../src/core/abort.ts';
import { LayerpullError } from '../../../src/core/errors.ts';
import { silentLog } from '../../../src/core/log.ts';
import type { Locks } from '../../../src/lock/locks.ts';
import { createApp } from '../../../src/lock/server/app.ts';
import { createConnections } from '../../../src/lock/server/connections.ts';
import { defaultLimits } from '../../../src/lock/server/limits.ts';
import { createOpenStreams } from '../../../src/lock/server/open-streams.ts';
import { onCleanup } from '../../support/cleanup.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { answersIn, connectRaw, dropClients, type RawClient, rawRequest } from './raw-client.ts';
import { ask, fakeLocks, listenTo, serve, stopServers } from './support.ts';

afterEach(stopServers);
afterEach(dropClients);

/** As many connections as the server takes, each known to it. */
async function fill(url: string, count: number): Promise<RawClient[]> {
  const open = [];
  for (let one = 0; one < count; one += 1) open.push(await connectRaw(url));
  for (const one of open) {
    one.write(rawRequest('GET /healthz'));
    await one.received('"ok"');
  }
  return open;
}

const full = { error: 'service unavailable', code: 'full' };

describe('a server with as many connections as it may have', () => {
  it('answers one more 503 with Retry-After and closes it, whatever it asks', async () => {
    const { url } = await serve(fakeLocks({}), { maxConnections: 2 });
    await fill(url, 2);
    for (const request of ['GET /locks', 'POST /lock', 'GET /lock/subscribe?session=s']) {
      const refused = await connectRaw(url);
      refused.write(rawRequest(request));
      const [answer] = answersIn(await refused.ended());
      expect(answer).toMatchObject({ status: 503, body: full });
      expect(answer?.head).toContain('\r\nretry-after: 1\r\n');
      expect(answer?.head).toContain('\r\nconnection: close');
    }
  });

  it('still says to new connections that it is alive, and to old ones that it is not ready', async () => {
    const { url } = await serve(fakeLocks({}), { maxConnections: 1 });
    const [first] = await fill(url, 1);
    expect(await ask(url, 'GET', '/healthz')).toMatchObject({ status: 200, body: { status: 'ok' } });
    expect(await ask(url, 'GET', '/readyz')).toMatchObject({ status: 503, body: full });
    first?.write(rawRequest('GET /readyz'));
    const ready = answersIn((await first?.received('connections are open')) ?? '')[1];
    expect(ready).toMatchObject({ status: 503, body: full });
    expect(ready?.head).toContain('\r\nretry-after: 1');
  });

  it('takes new ones once there is room', async () => {
    const { url } = await serve(fakeLocks({}), { maxConnections: 2 });
    const [first] = await fill(url, 2);
    await first?.close();
    let status = 503;
    while (status === 503) ({ status } = await ask(url, 'GET', '/nothing'));
    expect(status).toBe(404);
  });

  it('closes one that asks nothing after a second', async () => {
    const clock = createFakeClock();
    const { url } = await serve(fakeLocks({}), { maxConnections: 1, clock });
    await fill(url, 1);
    const silent = await connectRaw(url);
    // Connections are accepted in their order, so the silent one is known once this one is answered.
    expect((await ask(url, 'GET', '/locks')).status).toBe(503);
    await clock.advance(1_000);
    expect(await silent.ended()).toBe('');
  });

  it('answers a flood of silent connections without keeping them, and says so in its log once', async () => {
    const warned: object[] = [];
    const log = { debug() {}, info() {}, error() {}, warn: (fields: object) => void warned.push(fields) };
    const { url } = await serve(fakeLocks({}), { maxConnections: 1, clock: createFakeClock(), log });
    const [first] = await fill(url, 1);
    for (let one = 0; one < 256; one += 1) await connectRaw(url);
    for (let one = 0; one < 20; one += 1) {
      const refused = await connectRaw(url);
      expect(answersIn(await refused.ended())).toMatchObject([{ status: 503, body: full }]);
    }
    first?.write(rawRequest('GET /nothing'));
    await first?.received('no_route');
    expect(warned).toEqual([{ maxConnections: 1, refused: 1 }]);
  });
});

describe('a server with as many streams as it may have', () => {
  const watchResource: Locks['watchResource'] = async function* (_type, _resource, signal) {
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    yield* [];
  };
  const path = `/lock/subscribe?type=pull&resource_id=sha256:${'0'.repeat(64)}`;

  it('answers one more 503 with Retry-After, on a connection that goes on', async () => {
    const { url } = await serve(fakeLocks({ watchResource }), { maxStreams: 1 });
    const stream = await listenTo(url, path);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onCleanup(() => agent.destroy());
    for (const [asked, body] of [
      [path, full],
      ['/lock/subscribe?session=s', full],
      ['/readyz', full],
    ] as const) {
      const answer = await ask(url, 'GET', asked, { agent });
      expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '1' }, body });
      expect(answer.headers['connection']).not.toBe('close');
    }
    stream.stop();
  });

  it('opens new ones once there is room', async () => {
    const over = deferred<void>();
    const locks = fakeLocks({
      async *watchResource(type, resource, signal) {
        yield* watchResource(type, resource, signal);
        over.resolve();
      },
    });
    const { url } = await serve(locks, { maxStreams: 1 });
    (await listenTo(url, path)).stop();
    await over.promise;
    const stream = await listenTo(url, path);
    expect(stream.status).toBe(200);
    stream.stop();
  });
});

describe('a service that cannot take a request now', () => {
  it('is answered 503 with Retry-After', async () => {
    const { url } = await serve(
      fakeLocks({
        openSession: async () => {
          throw new LayerpullError('lock_unreachable', 'too many sessions are open');
        },
      }),
    );
    expect(await ask(url, 'POST', '/sessions', { body: { node_id: 'a' } })).toMatchObject({
      status: 503,
      headers: { 'retry-after': '1' },
      body: { message: 'too many sessions are open' },
    });
  });
});

describe('a server that stops', () => {
  it('answers 503 with Retry-After, though it is still alive', async () => {
    const [clock, log] = [createFakeClock(), silentLog];
    const streams = createOpenStreams(1, clock);
    const connections = createConnections({ clock, log, limits: defaultLimits, onNodeGone: () => {} });
    const app = createApp({ locks: fakeLocks({}), log, streams, connections });
    streams.stopAll();
    for (const path of ['/readyz', '/locks', '/lock/subscribe?session=s', '/nothing']) {
      const answer = await app.inject(path);
      expect(answer).toMatchObject({ statusCode: 503, headers: { 'retry-after': '1' } });
      expect(answer.json()).toMatchObject({ code: 'stopping', message: 'the lock server is stopping' });
    }
    expect(await app.inject('/healthz')).toMatchObject({ statusCode: 200 });
    await app.close();
  });

  it('answers what it has begun', async () => {
    const [asked, answer] = [deferred<void>(), deferred<void>()];
    const locks = fakeLocks({
      async renew() {
        asked.resolve();
        await answer.promise;
        return { granted: [], queued: [] };
      },
    });
    const { url, close } = await serve(locks);
    const one = await connectRaw(url);
    one.write(rawRequest('PUT /sessions/s', { held: [] }));
    await asked.promise;
    const closed = close();
    answer.resolve();
    expect(answersIn(await one.ended())).toMatchObject([{ status: 200, body: { granted: [] } }]);
    await closed;
  });
});
