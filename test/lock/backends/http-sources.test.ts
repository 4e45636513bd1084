import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { LayerpullError } from '../../../src/core/errors.ts';
import { toNodeId, toSessionId, toToken } from '../../../src/core/ids.ts';
import { createHttpLocks } from '../../../src/lock/backends/http/http-locks.ts';
import type { Heartbeat, Locks, SourceReply, SourceRequest } from '../../../src/lock/locks.ts';
import { onCleanup } from '../../support/cleanup.ts';
import { peer } from '../../support/leading-locks.ts';
import { fakeLocks, layer, serve, stopServers } from '../server/support.ts';

afterEach(stopServers);

const sessionId = toSessionId('s-1');
const request: SourceRequest = { sessionId, resourceId: layer, token: toToken(3), offset: 7 };

function clientOf(url: string): Locks {
  const locks = createHttpLocks({
    ...{ servers: [new URL(url)], version: '0.0.0', clock: systemClock },
    timeouts: { retryDelayMs: 1 },
  });
  onCleanup(() => locks.close());
  return locks;
}

async function clientFor(calls: Partial<Locks>): Promise<Locks> {
  return clientOf((await serve(fakeLocks(calls))).url);
}

/** A server that is no lock server of this version. */
async function clientForRaw(listener: RequestListener): Promise<Locks> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onCleanup(() => {
    server.closeAllConnections();
    server.close();
  });
  return clientOf(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

describe('sources over HTTP', () => {
  it.each<[SourceReply]>([
    [{ kind: 'source', source: { kind: 'registry' } }],
    [{ kind: 'source', source: peer('node-a') }],
    [{ kind: 'source', source: peer('node-a', true) }],
    [{ kind: 'wait', retryMs: 250 }],
    [{ kind: 'not-holder', message: 'not yours' }],
  ])('are asked for and answered: %j', async (reply) => {
    const asked: SourceRequest[] = [];
    const locks = await clientFor({
      sources: async (question) => {
        asked.push(question);
        return reply;
      },
    });
    const bad = { sessionId: toSessionId('s-2'), reason: 'silent' };
    expect(await locks.sources({ ...request, bad })).toEqual(reply);
    expect(asked).toEqual([{ ...request, bad }]);
  });

  it('are asked for again when a proxy has no server for a moment', async () => {
    let tries = 0;
    const locks = await clientForRaw((_, response) => {
      tries += 1;
      if (tries < 3) return void response.writeHead(503).end();
      response.end('{"retry_ms":250}');
    });
    expect(await locks.sources(request)).toEqual({ kind: 'wait', retryMs: 250 });
  });

  it('are refused with the errors that locks promise', async () => {
    const unknown = await clientFor({
      sources: async () => {
        throw new LayerpullError('session_unknown', 'session s-1 is not known');
      },
    });
    await expect(unknown.sources(request)).rejects.toMatchObject({ code: 'session_unknown' });
    const older = await clientForRaw((_, response) =>
      response.writeHead(404).end('{"error":"not found","message":"nothing","code":"no_route"}'),
    );
    await expect(older.sources(request)).rejects.toMatchObject({ code: 'lock_protocol' });
    const guarded = await clientForRaw((_, response) =>
      response.writeHead(403).end('{"error":"forbidden","message":"no token"}'),
    );
    await expect(guarded.sources(request)).rejects.toMatchObject({ code: 'lock_refused' });
    const strange = await clientForRaw((_, response) => response.end('{"source":"the next one"}'));
    await expect(strange.sources(request)).rejects.toMatchObject({
      code: 'lock_protocol',
      message: expect.stringContaining('POST /sources with something else: source must be an object'),
    });
  });

  it('end with the signal', async () => {
    const locks = await clientForRaw(() => {});
    const reason = new Error('enough');
    const cancelling = new AbortController();
    const asked = locks.sources(request, cancelling.signal);
    cancelling.abort(reason);
    await expect(asked).rejects.toBe(reason);
  });

  it('come with grants, with events, and as children with heartbeats', async () => {
    const heard: Heartbeat[] = [];
    const source = peer('node-a');
    const moved = { kind: 'source', type: 'pull', resourceId: layer, token: toToken(3), source } as const;
    const locks = await clientFor({
      acquire: async () => ({ kind: 'granted', token: toToken(3), ttlMs: 9, source }),
      renew: async (_, heartbeat) => {
        heard.push(heartbeat);
        return { granted: [], queued: [], children: 4 };
      },
      async *watch() {
        yield moved;
      },
    });
    const pull = { type: 'pull' as const, resourceId: layer, nodeId: toNodeId('node-b'), sessionId };
    expect(await locks.acquire(pull)).toMatchObject({ kind: 'granted', source });
    const heartbeat = { held: [], announce: { add: [layer], remove: [] }, draining: true };
    expect(await locks.renew(sessionId, heartbeat)).toEqual({ granted: [], queued: [], children: 4 });
    expect(heard).toEqual([heartbeat]);
    const events = locks.watch(sessionId, new AbortController().signal)[Symbol.asyncIterator]();
    expect((await events.next()).value).toEqual(moved);
    await events.return?.();
  });
});
