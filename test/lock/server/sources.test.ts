import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../../src/core/digest.ts';
import { LayerpullError } from '../../../src/core/errors.ts';
import { toNodeId, toSessionId } from '../../../src/core/ids.ts';
import type { Heartbeat, Locks, SourceReply, SourceRequest } from '../../../src/lock/locks.ts';
import { ask, fakeLocks, layer, serve, stopServers } from './support.ts';

afterEach(stopServers);

const request = { session_id: 's-1', resource_id: layer, token: 3, offset: 1_024 };

async function serveSources(sources: Locks['sources']): Promise<string> {
  return (await serve(fakeLocks({ sources }))).url;
}

describe('POST /sources', () => {
  it('hands the question to the locks and answers the source', async () => {
    const asked: SourceRequest[] = [];
    const url = await serveSources(async (question) => {
      asked.push(question);
      return {
        kind: 'source',
        source: {
          ...{ kind: 'peer', url: 'http://10.0.0.7:7041', complete: false },
          ...{ sessionId: toSessionId('s-2'), nodeId: toNodeId('node-b') },
        },
      };
    });
    const bad = { session_id: 's-9', reason: 'silent' };
    const answer = await ask(url, 'POST', '/sources', { body: { ...request, bad } });
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      source: {
        ...{ kind: 'peer', url: 'http://10.0.0.7:7041', complete: false },
        ...{ session_id: 's-2', node_id: 'node-b' },
      },
    });
    const { session_id: sessionId, resource_id: resourceId, token, offset } = request;
    expect(asked).toEqual([
      { sessionId, resourceId, token, offset, bad: { sessionId: 's-9', reason: 'silent' } },
    ]);
  });

  it.each<[SourceReply, number, object]>([
    [{ kind: 'source', source: { kind: 'registry' } }, 200, { source: { kind: 'registry' } }],
    [{ kind: 'wait', retryMs: 500 }, 200, { retry_ms: 500 }],
    [
      { kind: 'not-holder', message: 'node-b does not hold the lock' },
      403,
      { error: 'forbidden', message: 'node-b does not hold the lock', code: 'not_holder' },
    ],
  ])('answers %j', async (reply, status, body) => {
    const url = await serveSources(async () => reply);
    expect(await ask(url, 'POST', '/sources', { body: request })).toMatchObject({ status, body });
  });

  it('answers a session that the server does not know 404 with a code', async () => {
    const url = await serveSources(async () => {
      throw new LayerpullError('session_unknown', 'session s-1 is not known');
    });
    expect(await ask(url, 'POST', '/sources', { body: request })).toMatchObject({
      status: 404,
      body: { code: 'session_unknown' },
    });
  });

  it('refuses what is wrong, and asks nobody', async () => {
    const { url } = await serve(fakeLocks({}));
    const wrong = [
      [{ ...request, resource_id: 'sha256:../..' }, 'resource_id must be a digest'],
      [{ ...request, session_id: 'x'.repeat(257) }, 'session_id must not be longer'],
      [{ ...request, offset: 1.5 }, 'offset must be a whole number'],
      [{ ...request, bad: [] }, 'bad.session_id is missing'],
      ['[]', 'session_id is missing'],
      ['', 'the body is missing'],
    ] as const;
    for (const [body, message] of wrong) {
      const answer = await ask(url, 'POST', '/sources', { body });
      expect(answer).toMatchObject({ status: 400, body: { error: 'bad request', code: 'invalid_request' } });
      expect(answer.body['message']).toContain(message);
    }
    const long = { ...request, bad: { session_id: 's', reason: 'x'.repeat(70_000) } };
    expect(await ask(url, 'POST', '/sources', { body: long })).toMatchObject({
      status: 413,
      body: { code: 'body_too_large', message: 'the body is longer than 64 KiB' },
    });
  });

  it('is the only method there', async () => {
    const { url } = await serve(fakeLocks({}));
    const answer = await ask(url, 'GET', '/sources');
    expect(answer).toMatchObject({ status: 405, headers: { allow: 'POST' } });
  });
});

describe('a heartbeat', () => {
  const digests = (count: number) =>
    Array.from({ length: count }, (_, index) => digestOf(Buffer.from(`layer ${index}`)));

  async function serveBeats() {
    const heard: Heartbeat[] = [];
    const { url } = await serve(
      fakeLocks({
        renew: async (_, heartbeat) => {
          heard.push(heartbeat);
          return { granted: [], queued: [], children: 2 };
        },
      }),
    );
    return { url, heard, beat: (body: object) => ask(url, 'PUT', '/sessions/s-1', { body }) };
  }

  it('tells what a node serves and that it drains, and is told how many read from it', async () => {
    const { beat, heard } = await serveBeats();
    const [one, other] = digests(2);
    const answer = await beat({ announce: { add: [one], remove: [other] }, draining: true });
    expect(answer.body).toEqual({ granted: [], queued: [], children: 2 });
    expect(heard).toEqual([{ held: [], announce: { add: [one], remove: [other] }, draining: true }]);
  });

  it('may announce ten thousand layers beside a thousand locks, and no more', async () => {
    const { beat, heard } = await serveBeats();
    const all = digests(10_000);
    const held = all.slice(0, 1_000).map((resource_id, token) => ({ resource_id, token, type: 'delete' }));
    expect((await beat({ held, announce: { add: all } })).status).toBe(200);
    expect(heard[0]?.announce?.add).toHaveLength(10_000);
    expect(await beat({ announce: { add: all, remove: digests(1) } })).toMatchObject({
      status: 400,
      body: { message: 'announce must not name more than 10000 digests', code: 'invalid_request' },
    });
  });

  it('that is long is wanted when the client asks before it sends it', async () => {
    const { url, heard } = await serveBeats();
    const body = JSON.stringify({ announce: { add: digests(1_000) } });
    const headers = { expect: '100-continue', 'content-length': Buffer.byteLength(body) };
    const request = httpRequest(`${url}/sessions/s-1`, { method: 'PUT', agent: false, headers });
    request.flushHeaders();
    await once(request, 'continue');
    request.end(body);
    const [response] = await once(request, 'response');
    response.resume();
    expect(response.statusCode).toBe(200);
    expect(heard[0]?.announce?.add).toHaveLength(1_000);
  });

  it('that is longer than any of those is refused', async () => {
    const { url } = await serveBeats();
    const body = `{ "held": [] ${' '.repeat(2_097_152)}}`;
    expect(await ask(url, 'PUT', '/sessions/s-1', { body })).toMatchObject({
      status: 413,
      body: { code: 'body_too_large', message: 'the body is longer than 2048 KiB' },
    });
  });
});
