import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { deferred } from '../../../src/core/abort.ts';
import type { Locks, SessionEvent } from '../../../src/lock/locks.ts';
import { createConnections } from '../../../src/lock/server/connections.ts';
import { startEventStream } from '../../../src/lock/server/event-stream.ts';
import { defaultLimits } from '../../../src/lock/server/limits.ts';
import { pieceBytes } from '../../../src/lock/server/pieces.ts';
import { onCleanup } from '../../support/cleanup.ts';
import { createFakeClock, type FakeClock, settle } from '../../support/fake-clock.ts';
import { answersIn, connectRaw, dropClients, type RawClient, rawRequest } from './raw-client.ts';
import { ask, fakeLocks, layer, listenTo, serve, stopServers } from './support.ts';

afterEach(stopServers);
afterEach(dropClients);

const long: SessionEvent = { kind: 'failed', type: 'pull', resourceId: layer, error: 'x'.repeat(60_000) };

interface Firehose {
  readonly watch: Locks['watch'];
  /** Events that were taken from the source. */
  taken(): number;
  /** Resolves once the stream has let go of its source. */
  readonly over: Promise<void>;
}

/** A source that always has another event. */
function firehose(): Firehose {
  const over = deferred<void>();
  let taken = 0;
  return {
    async *watch(_, signal) {
      try {
        for (; !signal.aborted; taken += 1) yield long;
      } finally {
        over.resolve();
      }
    },
    taken: () => taken,
    over: over.promise,
  };
}

/** Resolves once `value` stays as it is: buffers are full. */
async function settled(value: () => number): Promise<void> {
  for (let last = -1; last !== value(); ) {
    last = value();
    for (let turn = 0; turn < 40; turn += 1) await settle();
  }
}

/** A client that reads nothing of the stream it asks for. */
async function stuckOn(url: string, path: string): Promise<RawClient> {
  const client = await connectRaw(url);
  client.socket.pause();
  client.write(rawRequest(`GET ${path}`));
  return client;
}

/** Lets time pass until `over`, in steps in which the server looks at its connections once. */
async function passUntil(over: Promise<void>, clock: FakeClock): Promise<number> {
  let isOver = false;
  void over.then(() => {
    isOver = true;
  });
  const startMs = clock.now();
  while (!isOver) await clock.advance(5_000);
  return clock.now() - startMs;
}

function warnings() {
  const messages: string[] = [];
  const log = {
    debug() {},
    info() {},
    error() {},
    warn: (_: object, text: string) => void messages.push(text),
  };
  return { log, messages };
}

const cutMessage = 'a client was cut: it took nothing for 15000 ms while bytes waited for it';

describe('a client that does not read its stream', () => {
  it('is cut after fifteen seconds, and the log says so', async () => {
    const [clock, source, { log, messages }] = [createFakeClock(), firehose(), warnings()];
    const { url } = await serve(fakeLocks({ watch: source.watch }), { clock, log });
    const client = await stuckOn(url, '/lock/subscribe?session=s');
    await settled(source.taken);
    await clock.advance(14_999);
    expect(messages).toEqual([]);
    await passUntil(source.over, clock);
    expect(messages).toEqual([cutMessage]);
    client.socket.resume();
    await client.ended();
  });

  it('does not delay others', async () => {
    const [clock, source] = [createFakeClock(), firehose()];
    const watch: Locks['watch'] = (sessionId, signal) =>
      sessionId === 'stuck' ? source.watch(sessionId, signal) : others(signal);
    const { url } = await serve(fakeLocks({ watch, list: async () => [] }), { clock });
    await stuckOn(url, '/lock/subscribe?session=stuck');
    await settled(source.taken);
    const other = await listenTo(url, '/lock/subscribe?session=other');
    for (let event = 1; event <= 1_000; event += 1) expect((await other.next())?.id).toBe(String(event));
    expect((await ask(url, 'GET', '/locks')).status).toBe(200);
    await passUntil(source.over, clock);
    expect((await other.next())?.id).toBe('1001');
    other.stop();
  });

  it('is not cut while it takes a little now and then', async () => {
    const [clock, source] = [createFakeClock(), firehose()];
    const { url } = await serve(fakeLocks({ watch: source.watch }), { clock });
    const client = await stuckOn(url, '/lock/subscribe?session=s');
    let isOver = false;
    void source.over.then(() => {
      isOver = true;
    });
    for (let time = 0; time < 8; time += 1) {
      await settled(source.taken);
      await clock.advance(10_000);
      const before = source.taken();
      client.socket.resume();
      while (source.taken() === before) await settle();
      client.socket.pause();
    }
    expect(isOver).toBe(false);
    await settled(source.taken);
    await passUntil(source.over, clock);
  });
});

async function* others(signal: AbortSignal): AsyncGenerator<SessionEvent, void, undefined> {
  for (let event = 0; event <= 1_000 && !signal.aborted; event += 1) yield { kind: 'ping' };
  await new Promise((resolve) => signal.addEventListener('abort', resolve));
}

describe('a client that does not read its answer', () => {
  const view = { resourceId: layer, domain: 'd'.repeat(262_144), queue: [], copies: [] };

  it('is cut after fifteen seconds', async () => {
    const [clock, { log, messages }] = [createFakeClock(), warnings()];
    const { url } = await serve(fakeLocks({ list: async () => Array(200).fill(view) }), { clock, log });
    await stuckOn(url, '/locks');
    while (messages.length === 0) await clock.advance(5_000);
    expect(messages).toEqual([cutMessage]);
    expect(clock.now()).toBeGreaterThanOrEqual(15_000);
  });

  it('is cut too when the answer was ended already', async () => {
    const [clock, { log, messages }] = [createFakeClock(), warnings()];
    const options = { clock, log, limits: defaultLimits, onNodeGone: () => {} };
    const connections = createConnections(options);
    const server = connections.createServer((_, response) => response.end('x'.repeat(50_000_000)));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    await stuckOn(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, '/');
    while (messages.length === 0) await clock.advance(5_000);
    expect(messages).toEqual([cutMessage]);
    connections.finish();
    server.close();
  });

  it('gets all of it, with its length, once it reads', async () => {
    const { url } = await serve(fakeLocks({ list: async () => Array(20).fill(view) }));
    const client = await stuckOn(url, '/locks');
    client.write(rawRequest('GET /nothing'));
    client.socket.resume();
    const [listed, after] = answersIn(await client.received('no_route'));
    expect(listed?.body['locks']).toHaveLength(20);
    expect(after?.status).toBe(404);
  });
});

describe('an event stream', () => {
  /** A stream to a client that reads nothing, and the server's side of it. */
  async function stuckStream() {
    const [begun, gone] = [deferred<ServerResponse>(), new AbortController()];
    const server = createServer((_, response) => begun.resolve(response)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onCleanup(() => {
      gone.abort();
      server.closeAllConnections();
      server.close();
    });
    await stuckOn(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, '/');
    const response = await begun.promise;
    return { response, stream: startEventStream(response, undefined, gone.signal), stop: () => gone.abort() };
  }

  it('keeps two pieces of 16 KiB in memory at most, however much its client leaves', async () => {
    const { response, stream, stop } = await stuckStream();
    let [sent, most] = [0, 0];
    const write = response.write.bind(response);
    response.write = (...args: unknown[]) => {
      const hasRoom = Reflect.apply(write, response, args);
      most = Math.max(most, response.writableLength);
      return hasRoom;
    };
    const sending = (async () => {
      for (; !response.destroyed; sent += 1) await stream.send({ data: { text: 'x'.repeat(1_000_000) } });
    })();
    await settled(() => response.socket?.bytesWritten ?? 0);
    expect(sent).toBeLessThan(100);
    expect(response.writableLength).toBeGreaterThan(0);
    expect(most).toBeLessThan(2 * pieceBytes + 1_024);
    response.destroy();
    stop();
    await sending;
  });

  it('adds no pings while bytes wait for its client', async () => {
    const { response, stream } = await stuckStream();
    await settled(() => response.socket?.bytesWritten ?? 0);
    const before = response.socket?.bytesWritten ?? 0;
    stream.ping();
    await settle();
    expect(response.socket?.bytesWritten).toBeGreaterThan(before);
    void stream.send({ data: { text: 'x'.repeat(50_000_000) } });
    await settled(() => response.socket?.bytesWritten ?? 0);
    const waiting = response.writableLength;
    expect(waiting).toBeGreaterThan(0);
    for (let time = 0; time < 10_000; time += 1) stream.ping();
    expect(response.writableLength).toBe(waiting);
  });
});
