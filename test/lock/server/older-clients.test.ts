import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import type { Digest } from '../../../src/core/digest.ts';
import { digestOf } from '../../../src/core/digest.ts';
import { createMemoryLocks } from '../../../src/lock/backends/memory.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { startServer } from '../../support/pulls.ts';
import { tempDir } from '../../support/temp.ts';
import { type Answer, ask, type Listening, listenTo, serve } from './support.ts';

/** A server that older clients find, and the time that passes for it. */
interface World {
  readonly url: string;
  /** Milliseconds. */
  now(): number;
  pass(ms: number): Promise<void>;
  close(): Promise<unknown>;
}

async function startInProcess(): Promise<World> {
  const clock = createFakeClock();
  const locks = createMemoryLocks({ clock, recoveryMs: 0 });
  const server = await serve(locks, { clock });
  return {
    url: server.url,
    now: () => clock.now(),
    pass: (ms) => clock.advance(ms),
    close: () => server.close().then(() => locks.close()),
  };
}

/** The real program, in real time. */
async function startProgram(...args: string[]): Promise<World> {
  const { url, child } = await startServer('127.0.0.1:0', args);
  const { now, sleep } = systemClock;
  return { url, now, pass: sleep, close: () => child.stop() };
}

const servers = [
  { server: 'in this process', start: startInProcess },
  { server: 'serve --data', start: () => startProgram('--data', tempDir()) },
  { server: 'serve --ephemeral', start: () => startProgram('--ephemeral') },
];

const json = { 'content-type': 'application/json' };

/** What older clients send about one resource, with their names for things. */
function requestsAbout(resource_id: Digest, url: string) {
  const send = (method: string, path: string, node_id: string, fields: object = {}): Promise<Answer> =>
    ask(url, method, path, { headers: json, body: { type: 'pull', resource_id, node_id, ...fields } });
  const post = (path: string, node: string, fields?: object) => send('POST', path, node, fields);
  return {
    post,
    lock: (node: string) => post('/lock', node),
    /** The whole operation, as the first generation sends it: with `error` always and `success` sometimes. */
    unlock: (node: string, error: string, success?: boolean | null) =>
      post('/unlock', node, success === undefined ? { error } : { error, success }),
    /** A JSON body on the GET. */
    status: async (node: string) => (await send('GET', '/lock/status', node)).body,
  };
}

type Requests = ReturnType<typeof requestsAbout>;

const someResource = () => digestOf(randomBytes(8));

/** Asks every half second, as clients that poll do, until the answer is the one they wait for. */
async function pollUntil(
  { status }: Requests,
  { pass }: World,
  node: string,
  isIt: (answer: Answer['body']) => boolean,
): Promise<Answer['body']> {
  for (let passedMs = 0; passedMs < 60_000; passedMs += 500) {
    const answer = await status(node);
    if (isIt(answer)) return answer;
    await pass(500);
  }
  throw new Error(`${node} polled for a minute in vain`);
}

/** Transcripts of the requests of both older generations, in their order. */
describe.each(servers)('an older client of a server: $server', ({ start }) => {
  let world: World;
  let resource_id: Digest;
  let requests: Requests;
  let lock: Requests['lock'];
  let unlock: Requests['unlock'];
  let status: Requests['status'];

  beforeAll(async () => {
    world = await start();
  });

  beforeEach(() => {
    resource_id = someResource();
    requests = requestsAbout(resource_id, world.url);
    ({ lock, unlock, status } = requests);
  });

  afterAll(() => world.close());

  describe('a client that polls', () => {
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
      expect((await requests.post('/unlock', 'a', { success: null, error: null })).body).toMatchObject({
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

    it('polls every half second until it is its turn, and then until the work is done', async () => {
      for (const node of ['a', 'b', 'c']) await lock(node);
      const waiting = pollUntil(requests, world, 'b', ({ acquired }) => acquired === true);
      await world.pass(1_200);
      await unlock('a', 'disk full', false);
      expect(await waiting).toMatchObject({ acquired: true, completed: false, holder: { node_id: 'b' } });
      await unlock('b', '');
      const done = await pollUntil(requests, world, 'c', ({ completed }) => completed === true);
      expect(done).toMatchObject({ acquired: false, success: true });
      expect((await lock('c')).body).toMatchObject({ acquired: false, skip: true });
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
      const stream = await listenTo(world.url, `/lock/subscribe?${query}`, { accept: 'text/event-stream' });
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
});

describe('a client that polls and stops', () => {
  it('loses its place after fifteen seconds, whatever the server', { timeout: 180_000 }, async () => {
    await Promise.all(
      servers.map(async ({ start }) => {
        const world = await start();
        const requests = requestsAbout(someResource(), world.url);
        const startMs = world.now();
        for (const node of ['a', 'b', 'c']) await requests.lock(node);
        const isAlone = ({ queue }: Answer['body']) => Array.isArray(queue) && queue.length === 1;
        await pollUntil(requests, world, 'c', isAlone);
        expect(world.now() - startMs).toBeGreaterThanOrEqual(15_000);
        await requests.unlock('a', 'disk', false);
        expect(await requests.status('c')).toMatchObject({ acquired: true });
        await world.close();
      }),
    );
  });
});
