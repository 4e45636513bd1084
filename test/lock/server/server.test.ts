import { mkdtemp, rm } from 'node:fs/promises';
import { Agent } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { LayerpullError } from '../../../src/core/errors.ts';
import { toNodeId, toSessionId, toToken } from '../../../src/core/ids.ts';
import type { AcquireRequest, Locks, ReleaseRequest, ResourceRequest } from '../../../src/lock/locks.ts';
import { createLockServer } from '../../../src/lock/server/server.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { ask, fakeLocks, layer, serve, stopServers } from './support.ts';

afterEach(stopServers);

const view = { resourceId: layer, domain: 'default', queue: [], copies: [] };
const status = { acquired: false, completed: false, success: false, view };
const inQuestion = { type: 'pull', resource_id: layer, node_id: 'node-b' };
const holder = { nodeId: toNodeId('node-a'), sessionId: toSessionId('s-1') };

async function serveCalls(calls: Partial<Locks>) {
  return (await serve(fakeLocks(calls))).url;
}

describe('POST /lock', () => {
  it('answers a grant, a place, a skip and a refusal', async () => {
    const replies: Awaited<ReturnType<Locks['acquire']>>[] = [
      { kind: 'granted', token: toToken(7), ttlMs: 15_000, source: { kind: 'registry' } },
      { kind: 'queued', position: 1, holder },
      { kind: 'skip', by: holder },
      { kind: 'refused', reason: 'content', message: 'failed for two nodes' },
    ];
    const url = await serveCalls({ acquire: async () => replies.shift() ?? { kind: 'skip' } });
    const lock = () => ask(url, 'POST', '/lock', { body: inQuestion });
    expect((await lock()).body).toEqual({
      acquired: true,
      skip: false,
      message: 'lock acquired',
      token: 7,
      ttl_ms: 15_000,
      source: { kind: 'registry' },
    });
    expect((await lock()).body).toEqual({
      acquired: false,
      skip: false,
      message: 'queued at position 1 behind node-a',
      position: 1,
      holder: { node_id: 'node-a', session_id: 's-1' },
    });
    expect((await lock()).body).toMatchObject({
      acquired: false,
      skip: true,
      message: 'already done by node-a',
    });
    const refused = await lock();
    expect(refused.status).toBe(403);
    expect(refused.body).toMatchObject({
      error: 'content refused',
      message: 'failed for two nodes',
      code: 'content',
    });
  });

  it('takes JSON under any content type, unknown fields, and null for what is optional', async () => {
    const asked: AcquireRequest[] = [];
    const url = await serveCalls({
      acquire: async (request) => {
        asked.push(request);
        return { kind: 'skip' };
      },
    });
    const body = JSON.stringify({
      ...inQuestion,
      session_id: null,
      request_id: 'r',
      force: true,
      color: 'red',
    });
    const types = [
      undefined,
      'application/json',
      'text/plain; charset=utf-8',
      'application/x-www-form-urlencoded',
      '!',
    ];
    for (const type of types) {
      const headers: Record<string, string> = type === undefined ? {} : { 'content-type': type };
      expect((await ask(url, 'POST', '/lock', { body, headers })).status).toBe(200);
    }
    const expected = { type: 'pull', resourceId: layer, nodeId: 'node-b', requestId: 'r', force: true };
    expect(asked).toEqual(types.map(() => expected));
  });

  it('names the field that is wrong', async () => {
    const url = await serveCalls({});
    const problem = async (body: string | object | undefined) => {
      const answer = await ask(url, 'POST', '/lock', body === undefined ? {} : { body });
      expect(answer.status).toBe(400);
      expect(answer.body).toMatchObject({ error: 'bad request', code: 'invalid_request' });
      return answer.body['message'];
    };
    expect(await problem(undefined)).toBe('the body is missing');
    expect(await problem('')).toBe('the body is missing');
    expect(await problem('{"type"')).toMatch(/^the body is not JSON: /);
    expect(await problem('[]')).toMatch(/is missing$|must be a JSON object/);
    expect(await problem({ ...inQuestion, resource_id: 'sha256:ABC' })).toMatch(
      /^resource_id must be a digest/,
    );
    expect(await problem({ ...inQuestion, node_id: undefined })).toBe('node_id is missing');
    expect(await problem({ ...inQuestion, node_id: 'n'.repeat(257) })).toMatch(
      /^node_id must not be longer than 256/,
    );
    expect(await problem({ ...inQuestion, node_id: 'a\nb' })).toBe(
      'node_id must not contain control characters',
    );
    expect(await problem({ ...inQuestion, type: 'push' })).toBe('type must be "pull", "update" or "delete"');
    expect(await problem({ ...inQuestion, force: 'yes' })).toBe('force must be true or false');
  });

  it('does not let a body change the prototype of anything', async () => {
    const asked: AcquireRequest[] = [];
    const url = await serveCalls({
      acquire: async (request) => {
        asked.push(request);
        return { kind: 'skip' };
      },
    });
    const text = JSON.stringify(inQuestion).replace('{', '{"__proto__":{"force":true},');
    expect((await ask(url, 'POST', '/lock', { body: text })).status).toBe(200);
    expect(asked[0]?.force).toBeUndefined();
    expect(({} as { force?: boolean }).force).toBeUndefined();
  });

  it('refuses a body over 64 KiB', async () => {
    const url = await serveCalls({});
    const answer = await ask(url, 'POST', '/lock', { body: ' '.repeat(65_537) });
    expect(answer.status).toBe(413);
    expect(answer.body['code']).toBe('body_too_large');
  });

  it('ends the wait of a client that went away', async () => {
    let waiting: AbortSignal | undefined;
    const aborted = new Promise<void>((resolve) => {
      void serveCalls({
        acquire: (_, signal) =>
          new Promise((_resolve, reject) => {
            waiting = signal;
            signal?.addEventListener('abort', () => {
              reject(signal.reason);
              resolve();
            });
            socket?.destroy();
          }),
      }).then((url) => {
        const text = JSON.stringify(inQuestion);
        socket = connect(Number(new URL(url).port), '127.0.0.1');
        socket.write(`POST /lock HTTP/1.1\r\nhost: h\r\ncontent-length: ${text.length}\r\n\r\n${text}`);
      });
    });
    let socket: ReturnType<typeof connect> | undefined;
    await aborted;
    expect(waiting?.aborted).toBe(true);
  });
});

describe('POST /unlock', () => {
  it('answers 200, 409 and 403 with a message', async () => {
    const replies: Awaited<ReturnType<Locks['release']>>[] = [
      { kind: 'released' },
      { kind: 'conflict', message: 'token 3 was superseded' },
      { kind: 'not-holder', message: 'node-b holds nothing here' },
    ];
    const url = await serveCalls({ release: async () => replies.shift() ?? { kind: 'released' } });
    const unlock = () => ask(url, 'POST', '/unlock', { body: { ...inQuestion, success: true, error: '' } });
    expect(await unlock()).toMatchObject({ status: 200, body: { released: true } });
    expect(await unlock()).toMatchObject({
      status: 409,
      body: { released: false, message: 'token 3 was superseded' },
    });
    expect(await unlock()).toMatchObject({ status: 403, body: { released: false } });
  });

  it('reads success and error as older clients send them', async () => {
    const released: ReleaseRequest[] = [];
    const url = await serveCalls({
      release: async (request) => {
        released.push(request);
        return { kind: 'released' };
      },
    });
    const outcome = async (fields: object) => {
      await ask(url, 'POST', '/unlock', { body: { ...inQuestion, ...fields } });
      return released.at(-1)?.outcome;
    };
    expect(await outcome({})).toEqual({ success: true });
    expect(await outcome({ success: null, error: null })).toEqual({ success: true });
    expect(await outcome({ error: '' })).toEqual({ success: true });
    expect(await outcome({ error: 'disk' })).toEqual({ success: false, error: 'disk', class: 'node' });
    expect(await outcome({ success: null, error: 'disk' })).toMatchObject({ success: false });
    expect(await outcome({ success: false, error: '' })).toMatchObject({
      success: false,
      error: 'no reason given',
    });
    expect(await outcome({ success: false, error: 'bad', class: 'content' })).toMatchObject({
      class: 'content',
    });
  });

  it('gives a grant back with decline', async () => {
    const url = await serveCalls({ decline: async () => ({ kind: 'released' }) });
    const answer = await ask(url, 'POST', '/unlock', { body: { ...inQuestion, token: 4, decline: true } });
    expect(answer.body).toEqual({ released: true, message: 'declined' });
  });
});

describe('GET /lock/status', () => {
  it('is asked by query, or by a JSON body under any content type', async () => {
    const asked: ResourceRequest[] = [];
    const url = await serveCalls({
      status: async (request) => {
        asked.push(request);
        return { ...status, completed: true, success: true };
      },
    });
    const query = new URLSearchParams(inQuestion);
    const answers = [
      await ask(url, 'GET', `/lock/status?${query}`),
      await ask(url, 'GET', `/lock/status?${query}`, { headers: { 'content-type': 'application/json' } }),
      await ask(url, 'GET', '/lock/status', { body: inQuestion }),
      await ask(url, 'GET', '/lock/status', {
        body: inQuestion,
        headers: { 'content-type': 'application/json' },
      }),
    ];
    for (const answer of answers) {
      expect(answer.body).toMatchObject({
        acquired: false,
        completed: true,
        success: true,
        holder: null,
        queue: [],
      });
      expect(answer.body).not.toHaveProperty('error');
    }
    expect(asked).toEqual(answers.map(() => ({ type: 'pull', resourceId: layer, nodeId: 'node-b' })));
  });

  it('names what is missing', async () => {
    const url = await serveCalls({});
    expect((await ask(url, 'GET', '/lock/status?type=pull')).body['message']).toBe('resource_id is missing');
  });
});

describe('the sessions', () => {
  it('are opened, kept and closed', async () => {
    const info = { sessionId: toSessionId('s/1'), ttlMs: 15_000, heartbeatMs: 5_000, claimMs: 10_000 };
    const calls: unknown[] = [];
    const url = await serveCalls({
      openSession: async (request) => {
        calls.push(request);
        return info;
      },
      renew: async (...args) => {
        calls.push(args);
        return { granted: [{ type: 'pull', resourceId: layer, token: toToken(3), waiters: 1 }], queued: [] };
      },
      closeSession: async (sessionId) => {
        calls.push(sessionId);
      },
    });
    const opened = await ask(url, 'POST', '/sessions', { body: { node_id: 'node-a', store_id: 'st' } });
    expect(opened.body).toEqual({ session_id: 's/1', ttl_ms: 15_000, heartbeat_ms: 5_000, claim_ms: 10_000 });
    const held = [{ resource_id: layer, token: 3, offset: 10, total: 20 }];
    const kept = await ask(url, 'PUT', '/sessions/s%2F1', { body: { held } });
    expect(kept.body).toEqual({
      granted: [{ type: 'pull', resource_id: layer, token: 3, waiters: 1 }],
      queued: [],
      children: 0,
    });
    expect((await ask(url, 'DELETE', '/sessions/s%2F1')).status).toBe(204);
    expect(calls).toEqual([
      { nodeId: 'node-a', storeId: 'st' },
      ['s/1', { held: [{ type: 'pull', resourceId: layer, token: 3, offset: 10, total: 20 }] }],
      's/1',
    ]);
  });

  it('that the server does not know are answered 404 with a code', async () => {
    const url = await serveCalls({
      renew: async () => {
        throw new LayerpullError('session_unknown', 'session s-9 is not known');
      },
    });
    const answer = await ask(url, 'PUT', '/sessions/s-9', { body: {} });
    expect(answer.status).toBe(404);
    expect(answer.body).toEqual({
      error: 'not found',
      message: 'session s-9 is not known',
      code: 'session_unknown',
    });
  });
});

describe('the server', () => {
  it('lists resources by prefix', async () => {
    const url = await serveCalls({
      list: async (query) => (query.prefix === 'sha256:0a' && query.limit === 5 ? [view] : []),
    });
    const answer = await ask(url, 'GET', '/locks?prefix=sha256:0a&limit=5');
    expect(answer.body['locks']).toMatchObject([{ resource_id: layer, domain: 'default' }]);
    expect((await ask(url, 'GET', '/locks?prefix=xyz')).body['message']).toMatch(
      /^prefix must be the beginning/,
    );
    expect((await ask(url, 'GET', '/locks?limit=0')).body['message']).toMatch(
      /^limit must be a whole number/,
    );
  });

  it('says that it is alive and ready', async () => {
    const url = await serveCalls({});
    expect((await ask(url, 'GET', '/healthz')).body).toEqual({ status: 'ok' });
    expect((await ask(url, 'GET', '/readyz')).body).toEqual({ status: 'ready' });
  });

  it('says why it serves nobody for the moment, and is alive all the same', async () => {
    let trouble: string | undefined = 'etcd is out of reach';
    const { url } = await serve(fakeLocks({}), { trouble: () => trouble });
    expect(await ask(url, 'GET', '/readyz')).toMatchObject({
      status: 503,
      headers: { 'retry-after': '1' },
      body: { error: 'service unavailable', message: trouble, code: 'lock_unreachable' },
    });
    expect((await ask(url, 'GET', '/healthz')).status).toBe(200);
    trouble = undefined;
    expect((await ask(url, 'GET', '/readyz')).status).toBe(200);
  });

  it('answers unknown paths 404, other methods 405, and broken paths 400, all in JSON', async () => {
    const url = await serveCalls({});
    expect(await ask(url, 'GET', '/nothing?x')).toMatchObject({ status: 404, body: { code: 'no_route' } });
    const wrong = await ask(url, 'GET', '/lock');
    expect(wrong).toMatchObject({ status: 405, headers: { allow: 'POST' } });
    expect((await ask(url, 'HEAD', '/lock/subscribe')).status).toBe(405);
    expect((await ask(url, 'DELETE', '/sessions/%zz')).status).toBe(400);
  });

  it('keeps what nobody foresaw to its log', async () => {
    const logged: object[] = [];
    const log = { debug() {}, info() {}, warn() {}, error: (fields: object) => void logged.push(fields) };
    const locks = fakeLocks({
      status: async () => {
        throw new Error('secret');
      },
    });
    const { url } = await serve(locks, { log });
    const answer = await ask(url, 'GET', `/lock/status?${new URLSearchParams(inQuestion)}`);
    expect(answer.status).toBe(500);
    expect(answer.text).not.toContain('secret');
    expect(logged).toMatchObject([{ err: { message: 'secret' } }]);
  });

  it('tells its log of an outage of the service only where somebody looks closely', async () => {
    const logged: string[] = [];
    const note = (level: string) => () => void logged.push(level);
    const log = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') };
    const away = () => new LayerpullError('lock_unreachable', 'etcd is out of reach');
    const locks = fakeLocks({
      status: async () => {
        throw away();
      },
      async *watch() {
        yield { kind: 'ping' };
        throw away();
      },
    });
    const { url } = await serve(locks, { log });
    const answer = await ask(url, 'GET', `/lock/status?${new URLSearchParams(inQuestion)}`);
    expect(answer).toMatchObject({ status: 503, body: { code: 'lock_unreachable' } });
    expect(answer.headers['retry-after']).toBe('1');
    await ask(url, 'GET', '/lock/subscribe?session=s');
    expect(logged).toEqual(['debug', 'debug']);
  });

  it('says which address is in use', async () => {
    const { url } = await serve(fakeLocks({}));
    const port = Number(new URL(url).port);
    const second = createLockServer({ locks: fakeLocks({}), clock: systemClock });
    await expect(second.listen({ host: '127.0.0.1', port })).rejects.toMatchObject({
      code: 'address_in_use',
      message: `cannot listen on 127.0.0.1:${port}: the address is in use`,
    });
    await second.close();
  });

  it('says that an address is not of this machine', async () => {
    const server = createLockServer({ locks: fakeLocks({}), clock: systemClock });
    const listening = server.listen({ host: '192.0.2.1', port: 0 });
    await expect(listening).rejects.toMatchObject({ code: 'usage', exitCode: 2 });
    await server.close();
  });

  it('listens on a socket', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'lock-'));
    const socketPath = path.join(folder, 's');
    const server = createLockServer({ locks: fakeLocks({}), clock: systemClock });
    await server.listen({ socketPath });
    const first = await new Promise<string>((resolve) => {
      const socket = connect(socketPath, () => socket.write('GET /healthz HTTP/1.0\r\n\r\n'));
      socket.once('data', (data) => resolve(data.toString().split('\r\n')[0] ?? ''));
    });
    expect(first).toBe('HTTP/1.1 200 OK');
    await server.close();
    await rm(folder, { recursive: true });
  });

  it('closes although a client keeps its connection, and another says nothing', async () => {
    // No time passes: it waits for none of them.
    const { url, close } = await serve(fakeLocks({}), { clock: createFakeClock() });
    const port = Number(new URL(url).port);
    const silent = connect(port, '127.0.0.1');
    await new Promise((resolve) => silent.once('connect', resolve));
    const agent = new Agent({ keepAlive: true });
    await ask(url, 'GET', '/healthz', { agent });
    const closed = new Promise((resolve) => silent.once('close', resolve));
    await close();
    await closed;
    await close();
    agent.destroy();
  });
});
