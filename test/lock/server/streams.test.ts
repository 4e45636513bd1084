import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { LayerpullError } from '../../../src/core/errors.ts';
import { toNodeId, toToken } from '../../../src/core/ids.ts';
import { createMemoryLocks } from '../../../src/lock/backends/memory.ts';
import type { Locks, ResourceEvent, SessionEvent } from '../../../src/lock/locks.ts';
import { onCleanup } from '../../support/cleanup.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { ask, fakeLocks, getResponse, layer, listenTo, serve, stopServers } from './support.ts';

afterEach(stopServers);

const grant = { type: 'pull' as const, resourceId: layer, token: toToken(5), waiters: 2 };

/** Hands out `events`, then waits until the client goes. */
function watching(events: readonly SessionEvent[], onEnd = () => {}): Locks['watch'] {
  return async function* (_, signal) {
    try {
      yield* events;
      if (!signal.aborted) await once(signal, 'abort');
    } finally {
      onEnd();
    }
  };
}

describe('the stream of a session', () => {
  it('begins with a snapshot, then names and numbers each event', async () => {
    const watch = watching([
      { kind: 'snapshot', granted: [grant], queued: [{ type: 'pull', resourceId: layer, position: 2 }] },
      { kind: 'granted', ...grant },
      { kind: 'revoked', type: 'pull', resourceId: layer, token: toToken(5), reason: 'too slow' },
      { kind: 'completed', type: 'pull', resourceId: layer, by: { nodeId: toNodeId('a') } },
      { kind: 'failed', type: 'pull', resourceId: layer, error: 'gone' },
      { kind: 'ping' },
    ]);
    const { url } = await serve(fakeLocks({ watch }));
    const stream = await listenTo(url, '/lock/subscribe?session=s-1');
    const received = [];
    for (let count = 0; count < 6; count += 1) received.push(await stream.next());
    stream.stop();
    const wireGrant = { type: 'pull', resource_id: layer, token: 5, waiters: 2 };
    const place = { type: 'pull', resource_id: layer, position: 2 };
    expect(received.map((event) => [event?.id, event?.event, JSON.parse(event?.data ?? '')])).toEqual([
      ['1', 'snapshot', { granted: [wireGrant], queued: [place], children: 0 }],
      ['2', 'granted', wireGrant],
      ['3', 'revoked', { type: 'pull', resource_id: layer, token: 5, reason: 'too slow' }],
      ['4', 'completed', { type: 'pull', resource_id: layer, by: { node_id: 'a' } }],
      ['5', 'failed', { type: 'pull', resource_id: layer, error: 'gone' }],
      ['6', 'ping', {}],
    ]);
  });

  it('counts on from the last event that the client has seen, and says when to come back', async () => {
    const { url } = await serve(
      fakeLocks({ watch: watching([{ kind: 'snapshot', granted: [], queued: [] }]) }),
    );
    const stream = await listenTo(url, '/lock/subscribe?session=s-1', { 'last-event-id': '41' });
    expect(await stream.next()).toMatchObject({ id: '42', event: 'snapshot' });
    stream.stop();
    const response = await getResponse(`${url}/lock/subscribe?session=s-1`);
    const [first] = await once(response, 'data');
    expect(String(first)).toMatch(/^retry: 1000\n\n/);
    expect(response.headers['content-type']).toMatch(/^text\/event-stream/);
    response.destroy();
  });

  it.each([
    ['0', '1'],
    ['999999999999999', '1000000000000000'],
    ['-1', '1'],
    ['1.5', '1'],
    ['x', '1'],
    ['', '1'],
    ['1234567890123456', '1'],
  ])('counts on from a last event of %j at %s', async (last, next) => {
    const { url } = await serve(
      fakeLocks({ watch: watching([{ kind: 'snapshot', granted: [], queued: [] }]) }),
    );
    const stream = await listenTo(url, '/lock/subscribe?session=s-1', { 'last-event-id': last });
    expect((await stream.next())?.id).toBe(next);
    stream.stop();
  });

  it('begins anew with a snapshot of what its client missed', async () => {
    const locks = createMemoryLocks({ clock: systemClock, recoveryMs: 0 });
    onCleanup(() => locks.close());
    const { url } = await serve(locks);
    const [holder, waiter] = [toNodeId('holder'), toNodeId('waiter')];
    const { sessionId } = await locks.openSession({ nodeId: waiter });
    const asked = { type: 'pull', resourceId: layer } as const;
    await locks.acquire({ ...asked, nodeId: holder });
    await locks.acquire({ ...asked, nodeId: waiter, sessionId });
    const first = await listenTo(url, `/lock/subscribe?session=${sessionId}`);
    const before = await first.next();
    expect(JSON.parse(before?.data ?? '')).toMatchObject({ granted: [], queued: [{ position: 1 }] });
    first.stop();
    const outcome = { success: false, error: 'disk', class: 'node' } as const;
    await locks.release({ ...asked, nodeId: holder, outcome });
    const again = await listenTo(url, `/lock/subscribe?session=${sessionId}`, { 'last-event-id': '1' });
    const after = await again.next();
    expect([after?.id, after?.event]).toEqual(['2', 'snapshot']);
    expect(JSON.parse(after?.data ?? '')).toMatchObject({ granted: [{ resource_id: layer }], queued: [] });
    again.stop();
  });

  it('of an unknown session is a plain 404', async () => {
    const locks = fakeLocks({
      // biome-ignore lint/correctness/useYield: it fails before there is anything to yield
      async *watch() {
        throw new LayerpullError('session_unknown', 'session s-1 is not known');
      },
    });
    const { url } = await serve(locks);
    const answer = await ask(url, 'GET', '/lock/subscribe?session=s-1');
    expect(answer).toMatchObject({ status: 404, body: { code: 'session_unknown' } });
  });

  it('stops its source when the client goes away', async () => {
    let end = () => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const { url } = await serve(fakeLocks({ watch: watching([{ kind: 'ping' }], end) }));
    const stream = await listenTo(url, '/lock/subscribe?session=s-1');
    await stream.next();
    stream.stop();
    await ended;
  });

  it('says so when the session was closed, and just ends when the server stops', async () => {
    const over = fakeLocks({
      async *watch() {
        yield { kind: 'ping' };
      },
    });
    const finished = await listenTo((await serve(over)).url, '/lock/subscribe?session=s-1');
    expect([(await finished.next())?.event, (await finished.next())?.event]).toEqual(['ping', 'closed']);

    // No time passes: it waits for no client.
    const server = await serve(fakeLocks({ watch: watching([{ kind: 'ping' }]) }), {
      clock: createFakeClock(),
    });
    const cut = await listenTo(server.url, '/lock/subscribe?session=s-1');
    await cut.next();
    await server.close();
    expect(await cut.next()).toBeUndefined();
  });

  it('waits for a client that does not read instead of piling events up', async () => {
    let made = 0;
    const big = 'x'.repeat(60_000);
    const locks = fakeLocks({
      async *watch(_, signal) {
        while (!signal.aborted) {
          made += 1;
          yield { kind: 'failed', type: 'pull', resourceId: layer, error: big };
        }
      },
    });
    const { url } = await serve(locks);
    const stream = await listenTo(url, '/lock/subscribe?session=s-1');
    await stream.next();
    for (let last = -1; last !== made; ) {
      last = made;
      for (let turn = 0; turn < 200; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    }
    // Socket buffers hold some megabytes; without back-pressure there would be no end.
    expect(made).toBeLessThan(1_000);
    stream.stop();
  });
});

describe('the stream of a resource', () => {
  const state: ResourceEvent = {
    type: 'pull',
    resourceId: layer,
    nodeId: toNodeId('node-a'),
    success: false,
    error: '',
  };

  function resource(events: readonly ResourceEvent[]): Partial<Locks> {
    return {
      async *watchResource(_type, _resourceId, signal) {
        yield* events;
        if (!signal.aborted) await once(signal, 'abort');
      },
    };
  }

  it('has unnamed events with the names of older clients', async () => {
    const done = { ...state, success: true, completedAtMs: Date.UTC(2024, 0, 2, 3, 4, 5, 6) };
    const { url } = await serve(fakeLocks(resource([state, done])));
    const stream = await listenTo(url, `/lock/subscribe?type=pull&resource_id=${layer}`);
    const events = [await stream.next(), await stream.next()];
    stream.stop();
    expect(events.map((event) => event?.event)).toEqual([undefined, undefined]);
    const common = { type: 'pull', resource_id: layer, node_id: 'node-a', error: '' };
    expect(events.map((event) => JSON.parse(event?.data ?? ''))).toEqual([
      { ...common, success: false, completed_at: null },
      { ...common, success: true, completed_at: '2024-01-02T03:04:05.006Z' },
    ]);
  });

  it('shows with comments that it is alive while nothing happens', async () => {
    const clock = createFakeClock();
    const { url } = await serve(fakeLocks(resource([state])), { clock });
    const response = await getResponse(`${url}/lock/subscribe?type=pull&resource_id=${layer}`);
    const parts: AsyncIterator<Buffer> = response[Symbol.asyncIterator]();
    let text = '';
    const textHas = async (part: string) => {
      while (!text.includes(part)) text += String((await parts.next()).value);
    };
    await textHas('data:');
    await clock.advance(5_000);
    await textHas(': ping');
    response.destroy();
  });

  it('counts on from the last event too', async () => {
    const { url } = await serve(fakeLocks(resource([state])));
    const path = `/lock/subscribe?type=pull&resource_id=${layer}`;
    const stream = await listenTo(url, path, { 'last-event-id': '7' });
    expect((await stream.next())?.id).toBe('8');
    stream.stop();
  });

  it('begins before there is anything to tell', async () => {
    const { url } = await serve(fakeLocks(resource([])));
    const stream = await listenTo(url, `/lock/subscribe?type=pull&resource_id=${layer}`);
    expect(stream.status).toBe(200);
    stream.stop();
  });

  it('needs a resource or a session', async () => {
    const { url } = await serve(fakeLocks({}));
    expect(await ask(url, 'GET', '/lock/subscribe')).toMatchObject({
      status: 400,
      body: { message: 'type is missing' },
    });
    expect((await ask(url, 'GET', '/lock/subscribe?session=')).body['message']).toBe(
      'session must not be empty',
    );
  });
});
