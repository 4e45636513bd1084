import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Digest } from '../../../src/core/digest.ts';
import { digestOf } from '../../../src/core/digest.ts';
import { createMemoryLocks } from '../../../src/lock/backends/memory.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';
import { type Answer, ask, type Listening, listenTo, serve, stopServers } from './support.ts';

/** Transcripts of the requests that older clients send, in their order and with their names. */
let url: string;
let clock: FakeClock;
let resource_id: Digest;
let stop: () => Promise<void>;

beforeEach(async () => {
  clock = createFakeClock();
  const locks = createMemoryLocks({ clock, recoveryMs: 0 });
  ({ url } = await serve(locks, { clock }));
  resource_id = digestOf(randomBytes(8));
  stop = () => locks.close();
});

afterEach(async () => {
  await stopServers();
  await stop();
});

const json = { 'content-type': 'application/json' };

function post(path: string, node_id: string, fields: object = {}): Promise<Answer> {
  return ask(url, 'POST', path, { headers: json, body: { type: 'pull', resource_id, node_id, ...fields } });
}

const lock = (node: string) => post('/lock', node);

/** The whole operation, as the first generation sends it: with `error` always and `success` sometimes. */
const unlock = (node: string, error: string, success?: boolean | null) =>
  post('/unlock', node, success === undefined ? { error } : { error, success });

describe('a client that polls', () => {
  /** A JSON body on the GET. */
  const status = async (node_id: string) =>
    (await ask(url, 'GET', '/lock/status', { headers: json, body: { type: 'pull', resource_id, node_id } }))
      .body;

  it('takes a free lock and gives it back done; who waited skips', async () => {
    expect((await lock('a')).body).toMatchObject({ acquired: true, skip: false });
    expect(await lock('b')).toMatchObject({
      status: 200,
      body: { acquired: false, skip: false, message: 'queued at position 1 behind a' },
    });
    const waiting = await status('b');
    expect(waiting).toMatchObject({
      acquired: false,
      completed: false,
      success: false,
      holder: { node_id: 'a' },
    });
    expect(waiting).not.toHaveProperty('error');
    expect(await unlock('a', '', true)).toMatchObject({ status: 200, body: { released: true } });
    expect(await status('b')).toMatchObject({ acquired: false, completed: true, success: true });
    expect((await lock('b')).body).toMatchObject({ acquired: false, skip: true });
  });

  it('gets the lock after a failure, first come first served, and finishes', async () => {
    for (const node of ['a', 'b', 'c']) await lock(node);
    expect((await unlock('a', 'disk full', false)).body).toMatchObject({ released: true });
    expect(await status('c')).toMatchObject({
      acquired: false,
      last_error: { node_id: 'a', message: 'disk full' },
    });
    expect(await status('b')).toMatchObject({ acquired: true, completed: false });
    // The first generation leaves `success` out: no error means that it worked.
    expect((await unlock('b', '')).body).toMatchObject({ released: true });
    expect(await status('c')).toMatchObject({ completed: true, success: true });
  });

  it('may send null where it has nothing to say', async () => {
    await lock('a');
    expect((await post('/unlock', 'a', { success: null, error: null })).body).toMatchObject({
      released: true,
    });
    expect(await status('b')).toMatchObject({ completed: true, success: true });
  });

  it('may repeat an unlock, but not turn it round, and not unlock what is not its own', async () => {
    await lock('a');
    await lock('b');
    expect(await unlock('b', '', true)).toMatchObject({ status: 403, body: { released: false } });
    expect((await unlock('a', '', true)).status).toBe(200);
    expect(await unlock('a', '', true)).toMatchObject({ status: 200, body: { released: true } });
    const flipped = await unlock('a', 'it failed after all', false);
    expect(flipped).toMatchObject({ status: 409, body: { released: false } });
    expect(flipped.body['message']).toBeTruthy();
    expect((await lock('c')).body).toMatchObject({ skip: true });
  });

  it('asks twice after a lost reply and stands in the queue once', async () => {
    await lock('a');
    await lock('b');
    expect((await lock('b')).body).toMatchObject({ message: 'queued at position 1 behind a' });
    expect((await lock('c')).body).toMatchObject({ message: 'queued at position 2 behind a' });
    expect((await lock('a')).body).toMatchObject({ acquired: true });
  });

  it('that stops polling loses its place after fifteen seconds', async () => {
    await lock('a');
    await lock('b');
    await lock('c');
    for (let second = 0; second < 20; second += 5) {
      await clock.advance(5_000);
      await status('c');
    }
    await unlock('a', 'disk', false);
    expect(await status('c')).toMatchObject({ acquired: true });
  });
});

describe('a client that listens', () => {
  let streams: Listening[] = [];

  afterEach(() => {
    for (const stream of streams) stream.stop();
    streams = [];
  });

  async function subscribe(): Promise<() => Promise<Record<string, unknown>>> {
    const query = new URLSearchParams({ type: 'pull', resource_id });
    const stream = await listenTo(url, `/lock/subscribe?${query}`, { accept: 'text/event-stream' });
    streams.push(stream);
    return async () => {
      const event = await stream.next();
      expect(event?.event).toBeUndefined();
      return JSON.parse(event?.data ?? '{}');
    };
  }

  it('hears that the work is done, and skips', async () => {
    await lock('a');
    await lock('b');
    const next = await subscribe();
    expect(await next()).toMatchObject({
      type: 'pull',
      resource_id,
      node_id: 'a',
      success: false,
      completed_at: null,
    });
    await unlock('a', '', true);
    const done = await next();
    expect(done).toMatchObject({ node_id: 'a', success: true, error: '' });
    expect(done['completed_at']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect((await lock('b')).body).toMatchObject({ acquired: false, skip: true });
  });

  it('hears that the lock is its own, and asks for it again', async () => {
    await lock('a');
    await lock('b');
    const next = await subscribe();
    await unlock('a', 'disk full', false);
    const events = [await next(), await next(), await next()];
    expect(events[1]).toMatchObject({ node_id: 'a', success: false, error: 'disk full' });
    expect(events[2]).toMatchObject({ node_id: 'b', success: false, error: '', completed_at: null });
    expect((await lock('b')).body).toMatchObject({ acquired: true });
    expect((await unlock('b', '', true)).body).toMatchObject({ released: true });
    expect(await next()).toMatchObject({ node_id: 'b', success: true });
  });

  it('that subscribes late hears at once what it missed', async () => {
    await lock('a');
    await lock('b');
    await unlock('a', '', true);
    const next = await subscribe();
    expect(await next()).toMatchObject({ node_id: 'a', success: true });
  });

  it('may subscribe before anybody asks for the lock', async () => {
    const next = await subscribe();
    await lock('a');
    await unlock('a', '', true);
    for (;;) {
      const event = await next();
      if (event['success']) break;
      expect(event).toMatchObject({ node_id: 'a' });
    }
  });
});
