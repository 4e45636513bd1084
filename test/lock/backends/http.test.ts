import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { LayerpullError } from '../../../src/core/errors.ts';
import { toNodeId, toRequestId, toSessionId, toToken } from '../../../src/core/ids.ts';
import { createHttpLocks, type HttpLocksOptions } from '../../../src/lock/backends/http/http-locks.ts';
import type { Locks, SessionEvent } from '../../../src/lock/locks.ts';
import { createLockServer } from '../../../src/lock/server/server.ts';
import { fakeLocks, layer, serve, stopServers } from '../server/support.ts';

const open: { close(): unknown }[] = [];

afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
  await stopServers();
});

function clientOf(options: Partial<HttpLocksOptions> & { urls?: readonly string[] }): Locks {
  const { urls = [], ...rest } = options;
  const timeouts = { retryDelayMs: 1, ...rest.timeouts };
  const servers = urls.map((url) => new URL(url));
  const locks = createHttpLocks({ servers, version: '0.0.0', clock: systemClock, ...rest, timeouts });
  open.push(locks);
  return locks;
}

async function clientFor(calls: Partial<Locks>): Promise<Locks> {
  return clientOf({ urls: [(await serve(fakeLocks(calls))).url] });
}

/** A server that is no lock server. */
async function serveRaw(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.push({ close: () => new Promise((resolve) => server.close(resolve).closeAllConnections()) });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function deserted(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}

const never = new AbortController().signal;
const sessionId = toSessionId('s-1');
const pull = { type: 'pull' as const, resourceId: layer, nodeId: toNodeId('node-a') };

async function all<T>(events: AsyncIterable<T>, seen: T[] = []): Promise<T[]> {
  for await (const event of events) seen.push(event);
  return seen;
}

describe('the lock service over HTTP', () => {
  it('hands every call to the server and its answer back', async () => {
    const calls: unknown[][] = [];
    const record =
      <T>(name: string, answer: T) =>
      async (...args: unknown[]) => {
        calls.push([name, ...args.filter((arg) => !(arg instanceof AbortSignal) && arg !== undefined)]);
        return answer;
      };
    const info = { sessionId, ttlMs: 15_000, heartbeatMs: 5_000, claimMs: 10_000 };
    const snapshot = { granted: [], queued: [{ type: 'pull' as const, resourceId: layer, position: 1 }] };
    const granted = {
      kind: 'granted' as const,
      token: toToken(1),
      ttlMs: 9,
      source: { kind: 'registry' as const },
    };
    const conflict = { kind: 'conflict' as const, message: 'superseded' };
    const notHolder = { kind: 'not-holder' as const, message: 'not yours' };
    const view = { resourceId: layer, domain: 'default', queue: [], copies: [] };
    const status = { acquired: true, completed: false, success: false, view };
    const locks = await clientFor({
      openSession: record('open', info),
      renew: record('renew', snapshot),
      closeSession: record('close', undefined),
      acquire: record('acquire', granted),
      release: record('release', conflict),
      decline: record('decline', notHolder),
      status: record('status', status),
      list: record('list', [view]),
    });
    const held = [{ type: 'pull' as const, resourceId: layer, token: toToken(1), offset: 1, total: 2 }];
    const release = { ...pull, outcome: { success: true as const } };
    expect(await locks.openSession({ nodeId: pull.nodeId })).toEqual(info);
    expect(await locks.renew(sessionId, { held })).toEqual(snapshot);
    expect(await locks.acquire({ ...pull, sessionId, force: true })).toEqual(granted);
    expect(await locks.release(release)).toEqual(conflict);
    expect(await locks.decline(pull)).toEqual(notHolder);
    expect(await locks.status(pull)).toEqual(status);
    expect(await locks.list({ prefix: 'sha256:' })).toEqual([view]);
    await locks.closeSession(sessionId);
    expect(calls).toEqual([
      ['open', { nodeId: 'node-a' }],
      ['renew', 's-1', { held }],
      ['acquire', { ...pull, sessionId, force: true }],
      ['release', { kind: 'release', ...release }],
      ['decline', { kind: 'decline', ...pull }],
      ['status', pull],
      ['list', { prefix: 'sha256:' }],
      ['close', 's-1'],
    ]);
  });

  it('answers a refusal as a reply, and other refusals as errors', async () => {
    const refused = { kind: 'refused' as const, reason: 'limit' as const, message: 'too many wait' };
    const locks = await clientFor({
      acquire: async () => refused,
      renew: async () => {
        throw new LayerpullError('session_unknown', 'session s-1 is not known');
      },
    });
    expect(await locks.acquire(pull)).toEqual(refused);
    await expect(locks.renew(sessionId, { held: [] })).rejects.toMatchObject({
      code: 'session_unknown',
      message: 'session s-1 is not known',
    });
    await expect(locks.openSession({ nodeId: toNodeId('') })).rejects.toMatchObject({
      code: 'lock_protocol',
      message: expect.stringContaining('node_id must not be empty'),
    });
  });

  it('says whom it could not reach, why, and what to do', async () => {
    const url = await deserted();
    await expect(clientOf({ urls: [url] }).status(pull)).rejects.toMatchObject({
      code: 'lock_unreachable',
      message: `cannot reach the lock server ${url}: connection refused`,
      hint: expect.stringContaining('--server'),
    });
    const events = clientOf({ urls: [url] }).watch(sessionId, never);
    await expect(all(events)).rejects.toMatchObject({ code: 'lock_unreachable' });
    const lost = clientOf({ socketPath: '/nonexistent/s' });
    await expect(lost.list({})).rejects.toThrow(
      'cannot reach the coordinator at /nonexistent/s: nobody listens there',
    );
  });

  it('says that something else than a lock server answers', async () => {
    const page = await serveRaw((_, response) => response.end('<html>'));
    const locks = clientOf({ urls: [page] });
    await expect(locks.acquire(pull)).rejects.toMatchObject({ code: 'lock_protocol' });
    await expect(locks.renew(sessionId, { held: [] })).rejects.toMatchObject({ code: 'lock_protocol' });
    await expect(locks.release({ ...pull, outcome: { success: true } })).rejects.toMatchObject({
      code: 'lock_protocol',
    });
    await expect(all(locks.watch(sessionId, never))).rejects.toThrow('not an event stream');
    const missing = clientOf({ urls: [await serveRaw((_, response) => response.writeHead(404).end())] });
    await expect(missing.acquire(pull)).rejects.toMatchObject({ code: 'lock_protocol' });
    await expect(missing.closeSession(sessionId)).rejects.toMatchObject({ code: 'lock_protocol' });
  });

  it('takes a server that fails for one that cannot be reached', async () => {
    for (const status of [500, 503]) {
      const url = await serveRaw((_, response) => response.writeHead(status).end('{"message":"broken"}'));
      await expect(clientOf({ urls: [url] }).acquire(pull)).rejects.toMatchObject({
        code: 'lock_unreachable',
        message: `the lock server ${url} failed POST /lock with status ${status}: broken`,
      });
    }
  });

  it('repeats a request after a lost reply only if it can be recognised', async () => {
    let requests = 0;
    const url = await serveRaw((request) => {
      requests += 1;
      request.socket.destroy();
    });
    const locks = clientOf({ urls: [url] });
    await expect(locks.acquire(pull)).rejects.toMatchObject({ code: 'lock_unreachable' });
    expect(requests).toBe(1);
    const named = { ...pull, requestId: toRequestId('r-1') };
    await expect(locks.acquire(named)).rejects.toMatchObject({ code: 'lock_unreachable' });
    expect(requests).toBe(5);
    await expect(locks.renew(sessionId, { held: [] })).rejects.toMatchObject({ code: 'lock_unreachable' });
    expect(requests).toBe(6);
  });

  it('goes on with the next server, for requests and for streams', async () => {
    const watch: Locks['watch'] = async function* () {
      yield { kind: 'ping' };
    };
    const { url } = await serve(fakeLocks({ list: async () => [], watch }));
    const urls = [await deserted(), url];
    const random = () => 0;
    const [one, other] = [clientOf({ urls, random }), clientOf({ urls, random })];
    expect(await all(one.watch(sessionId, never))).toEqual([{ kind: 'ping' }]);
    expect(await one.list({})).toEqual([]);
    expect(await other.list({})).toEqual([]);
    expect(await all(other.watch(sessionId, never))).toEqual([{ kind: 'ping' }]);
  });

  it('reaches a server by its socket', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'locks-'));
    const socketPath = path.join(folder, 's');
    const server = createLockServer({ locks: fakeLocks({ list: async () => [] }), clock: systemClock });
    await server.listen({ socketPath });
    expect(await clientOf({ socketPath }).list({})).toEqual([]);
    await server.close();
    await rm(folder, { recursive: true });
  });

  it('ends a call with the reason of its signal', async () => {
    const stop = new AbortController();
    const reason = new Error('stop');
    const locks = await clientFor({
      acquire: () => {
        stop.abort(reason);
        return new Promise(() => {});
      },
    });
    await expect(locks.acquire(pull, stop.signal)).rejects.toBe(reason);
  });

  it('ends what is under way when it is closed', async () => {
    let arrived = () => {};
    const waiting = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const locks = clientOf({ urls: [await serveRaw(() => arrived())], timeouts: { retries: 0 } });
    const call = locks.list({});
    call.catch(() => {});
    await waiting;
    await locks.close();
    await expect(call).rejects.toMatchObject({ code: 'lock_unreachable' });
    await locks.close();
  });
});

describe('a stream over HTTP', () => {
  const grant: SessionEvent = {
    kind: 'granted',
    type: 'pull',
    resourceId: layer,
    token: toToken(1),
    waiters: 0,
  };
  const snapshot: SessionEvent = { kind: 'snapshot', granted: [], queued: [] };

  it('gives the events of the session, and ends when the session closes', async () => {
    const events: SessionEvent[] = [
      snapshot,
      grant,
      { kind: 'queued', type: 'pull', resourceId: layer, position: 1, holder: { nodeId: toNodeId('a') } },
      { kind: 'completed', type: 'pull', resourceId: layer },
      { kind: 'failed', type: 'pull', resourceId: layer, error: 'no' },
      { kind: 'revoked', type: 'pull', resourceId: layer, token: toToken(1), reason: 'slow' },
      { kind: 'ping' },
    ];
    const locks = await clientFor({
      async *watch() {
        yield* events;
      },
    });
    expect(await all(locks.watch(sessionId, never))).toEqual(events);
  });

  it('ends without an error when its signal aborts', async () => {
    const stop = new AbortController();
    const locks = await clientFor({
      async *watch(_, signal) {
        yield snapshot;
        await once(signal, 'abort');
      },
    });
    const seen: SessionEvent[] = [];
    for await (const event of locks.watch(sessionId, stop.signal)) {
      seen.push(event);
      stop.abort();
    }
    expect(seen).toEqual([snapshot]);
    expect(await all(locks.watch(sessionId, stop.signal))).toEqual([]);
  });

  it('throws when the server stops, breaks off, or goes silent', async () => {
    const server = await serve(
      fakeLocks({
        async *watch(_, signal) {
          yield snapshot;
          await once(signal, 'abort');
        },
      }),
    );
    const stopping = clientOf({ urls: [server.url] })
      .watch(sessionId, never)
      [Symbol.asyncIterator]();
    expect((await stopping.next()).value).toEqual(snapshot);
    const [ended] = await Promise.allSettled([stopping.next(), server.close()]);
    expect(ended).toMatchObject({ status: 'rejected', reason: { code: 'lock_unreachable' } });

    const head = { 'content-type': 'text/event-stream' };
    const broken = await serveRaw((_, response) => {
      response.writeHead(200, head).write('event: ping\ndata: {}\n\n', () => response.destroy());
    });
    const seen: SessionEvent[] = [];
    const reading = all(clientOf({ urls: [broken] }).watch(sessionId, never), seen);
    await expect(reading).rejects.toMatchObject({ code: 'lock_unreachable' });
    expect(seen).toEqual([{ kind: 'ping' }]);

    const silent = await serveRaw((_, response) => void response.writeHead(200, head).write(': hello\n\n'));
    const quiet = clientOf({ urls: [silent], timeouts: { silenceMs: 20 } });
    await expect(all(quiet.watch(sessionId, never))).rejects.toThrow('silent for too long');
  });

  it('skips events that a later server may send, and refuses broken ones', async () => {
    const head = { 'content-type': 'text/event-stream' };
    const later =
      'event: later\ndata: {"x":1}\n\ndata: {}\n\nevent: ping\ndata: {}\n\nevent: closed\ndata: {}\n\n';
    const modern = clientOf({
      urls: [await serveRaw((_, response) => response.writeHead(200, head).end(later))],
    });
    expect(await all(modern.watch(sessionId, never))).toEqual([{ kind: 'ping' }]);
    const bad = 'event: granted\ndata: {"type":\n\n';
    const broken = clientOf({
      urls: [await serveRaw((_, response) => response.writeHead(200, head).end(bad))],
    });
    await expect(all(broken.watch(sessionId, never))).rejects.toMatchObject({ code: 'lock_protocol' });
  });

  it('tells a session that the server does not know', async () => {
    const locks = await clientFor({
      // biome-ignore lint/correctness/useYield: it fails before there is anything to yield
      async *watch() {
        throw new LayerpullError('session_unknown', 'session s-1 is not known');
      },
    });
    await expect(all(locks.watch(sessionId, never))).rejects.toMatchObject({ code: 'session_unknown' });
  });

  it('gives the events of a resource', async () => {
    const event = { ...pull, success: true, error: '', completedAtMs: 1_700_000_000_123 };
    const locks = await clientFor({
      async *watchResource(_type, _resourceId, signal) {
        yield event;
        await once(signal, 'abort');
      },
    });
    for await (const received of locks.watchResource('pull', layer, never)) {
      expect(received).toEqual(event);
      break;
    }
  });
});
