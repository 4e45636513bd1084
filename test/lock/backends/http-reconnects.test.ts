import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { toSessionId } from '../../../src/core/ids.ts';
import { createHttpLocks } from '../../../src/lock/backends/http/http-locks.ts';
import { StreamMemory } from '../../../src/lock/backends/http/stream-memory.ts';
import type { Locks } from '../../../src/lock/locks.ts';
import { onCleanup } from '../../support/cleanup.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';

const sessionId = toSessionId('s-1');
const never = new AbortController().signal;

/** A server that begins each stream with these texts, one per connection, and then breaks off. */
async function serveBroken(...texts: string[]) {
  const requests: IncomingMessage[] = [];
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    requests.push(request);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(texts.shift() ?? ': nothing\n\n', () => response.destroy());
  };
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onCleanup(() => server.closeAllConnections());
  onCleanup(() => void server.close());
  const clock = createFakeClock();
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const locks = createHttpLocks({ servers: [url], version: '0.0.0', clock, random: () => 0.5 });
  onCleanup(() => locks.close());
  return { requests, clock, locks };
}

/** Reads a stream until it breaks. */
async function readBroken(locks: Locks): Promise<void> {
  const reading = (async () => {
    for await (const _ of locks.watch(sessionId, never));
  })();
  await expect(reading).rejects.toMatchObject({ code: 'lock_unreachable' });
}

/** Waits, without moving the time, until somebody sleeps. */
async function sleeping(clock: FakeClock): Promise<void> {
  await expect.poll(() => clock.pending()).toBe(1);
}

const ping = (id: string) => `id: ${id}\nevent: ping\ndata: {}\n\n`;

describe('a stream that follows a broken one', () => {
  it('says which event was the last', async () => {
    const { requests, locks } = await serveBroken(
      ping('7') + ping('8'),
      'event: ping\ndata: {}\n\n',
      ping('9'),
    );
    for (let round = 0; round < 4; round += 1) await readBroken(locks);
    expect(requests.map(({ headers }) => headers['last-event-id'])).toEqual([undefined, '8', '8', '9']);
  });

  it('waits for as long as the server asked, and up to half of it more', async () => {
    const { requests, clock, locks } = await serveBroken('retry: 2000\n\n');
    await readBroken(locks);
    const second = readBroken(locks);
    await sleeping(clock);
    await clock.advance(2_499);
    expect(requests).toHaveLength(1);
    await clock.advance(1);
    await second;
    expect(requests).toHaveLength(2);
  });

  it('counts the time that has passed already', async () => {
    const { requests, clock, locks } = await serveBroken('retry: 2000\n\n');
    await readBroken(locks);
    await clock.advance(2_500);
    await readBroken(locks);
    expect(requests).toHaveLength(2);
  });

  it('can be cancelled while it waits', async () => {
    const { requests, clock, locks } = await serveBroken('retry: 2000\n\n');
    await readBroken(locks);
    const stop = new AbortController();
    const events = locks.watch(sessionId, stop.signal)[Symbol.asyncIterator]();
    const next = events.next();
    await sleeping(clock);
    stop.abort();
    expect(await next).toMatchObject({ done: true });
    expect(clock.pending()).toBe(0);
    expect(requests).toHaveLength(1);
  });

  it('knows nothing of another one, nor of one that ended as it should', async () => {
    const { requests, locks } = await serveBroken(
      `retry: 2000\n\n${ping('7')}event: closed\ndata: {}\n\n`,
      ping('3'),
    );
    for await (const _ of locks.watch(sessionId, never));
    await readBroken(locks);
    const other = locks.watch(toSessionId('s-2'), never)[Symbol.asyncIterator]();
    await expect(other.next()).rejects.toMatchObject({ code: 'lock_unreachable' });
    expect(requests.map(({ headers }) => headers['last-event-id'])).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe('what is remembered of broken streams', () => {
  const create = () => new StreamMemory({ clock: createFakeClock(), random: () => 0 });
  const server = new URL('http://one.example:1');
  const begin = (memory: StreamMemory, path: string) => {
    const track = memory.begin(path);
    const told = { headers: track.headers(server), pauseMs: track.pauseMs(server) };
    track.opened(server);
    return { ...track, told };
  };

  it('is bounded: the oldest are forgotten', () => {
    const memory = create();
    for (let stream = 0; stream <= 1_000; stream += 1) {
      const track = begin(memory, `/${stream}`);
      track.onEvent(`${stream}`);
      track.broke();
    }
    expect(begin(memory, '/0').told.headers).toEqual({});
    expect(begin(memory, '/1').told.headers).toEqual({ 'last-event-id': '1' });
  });

  it('heeds no pause of more than half a minute, and sends back no id that is no header', () => {
    const memory = create();
    const track = begin(memory, '/');
    track.onRetry(86_400_000);
    for (const id of ['', 'a\u00e4', 'x'.repeat(257)]) track.onEvent(id);
    track.broke();
    expect(begin(memory, '/').told).toEqual({ pauseMs: 30_000, headers: {} });
  });

  it('means nothing to another server: neither the last event nor the pause', () => {
    const memory = create();
    const track = begin(memory, '/');
    track.onEvent('7');
    track.onRetry(2_000);
    track.broke();
    const other = new URL('http://two.example:1');
    const next = memory.begin('/');
    expect([next.headers(other), next.pauseMs(other)]).toEqual([{}, 0]);
    expect([next.headers(server), next.pauseMs(server)]).toEqual([{ 'last-event-id': '7' }, 2_000]);
    next.opened(other);
    next.broke();
    const last = memory.begin('/');
    expect([last.headers(other), last.pauseMs(other)]).toEqual([{}, 0]);
  });

  it('counts at how many servers a stream broke soon, until one lasts', async () => {
    const clock = createFakeClock();
    const memory = new StreamMemory({ clock, random: () => 0 });
    const breakAt = (at: URL) => {
      const track = memory.begin('/');
      track.opened(at);
      return track;
    };
    const other = new URL('http://two.example:1');
    expect(breakAt(server).broke()).toBe(1);
    expect(breakAt(other).broke()).toBe(2);
    expect(breakAt(server).broke()).toBe(2);
    const lasting = breakAt(other);
    await clock.advance(10_000);
    expect(lasting.broke()).toBe(1);
  });
});
