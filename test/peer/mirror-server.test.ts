import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { describe, expect, test } from 'vitest';
import { deferred } from '../../src/core/abort.ts';
import { mediaTypes } from '../../src/core/descriptor.ts';
import { digestOf } from '../../src/core/digest.ts';
import { LayerpullError } from '../../src/core/errors.ts';
import type { Caller, MirrorContent } from '../../src/peer/mirror-port.ts';
import { createMirrorServer, type MirrorServerOptions } from '../../src/peer/mirror-server.ts';
import { ask } from '../support/ask.ts';
import { onCleanup } from '../support/cleanup.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { tokenDoor } from '../support/mirror.ts';

const bytes = Buffer.from('{"schemaVersion":2}');
const digest = digestOf(bytes);
const manifest = { mediaType: mediaTypes.ociManifest, digest, size: bytes.length };
const layer = { mediaType: mediaTypes.ociLayerGzip, digest: digestOf(Buffer.from('abcdef')), size: 6 };
const path = '/v2/registry.example/app';

async function serve(content: Partial<MirrorContent>, options: Partial<MirrorServerOptions> = {}) {
  const clock = createFakeClock();
  const callers: Caller[] = [];
  const server = createMirrorServer({
    clock,
    content: {
      resolve: async (_, caller) => {
        callers.push(caller);
        return { descriptor: manifest, bytes };
      },
      blob: async () => {
        throw new LayerpullError('blob_not_found', 'not listed');
      },
      recorded: async () => undefined,
      ...content,
    },
    ...options,
  });
  const { url } = await server.listen({ host: '127.0.0.1', port: 0 });
  onCleanup(() => server.close());
  return { url, clock, callers, server };
}

/** A layer whose bytes are those that `read` gives. */
const layerOf = (read: (signal: AbortSignal) => AsyncIterable<Uint8Array>): Partial<MirrorContent> => ({
  blob: async () => ({ descriptor: layer, read: (_, signal) => read(signal) }),
});

const codeIn = (body: Buffer) => JSON.parse(body.toString()).errors[0].code;

describe('what is answered', () => {
  test('the base is there for everyone, and says that credentials may be sent', async () => {
    const { url } = await serve({});
    for (const base of ['/v2/', '/v2']) {
      const answer = await ask(url + base);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('docker-distribution-api-version')).toBe('registry/2.0');
      expect(answer.headers.get('www-authenticate')).toBe('Basic realm="layerpull"');
    }
  });

  test('errors have the form of the distribution API and a status that sends clients on', async () => {
    const cases: readonly (readonly [LayerpullError, number, string])[] = [
      [new LayerpullError('image_not_found', 'x'), 404, 'MANIFEST_UNKNOWN'],
      [new LayerpullError('unsupported_manifest', 'x'), 404, 'MANIFEST_UNKNOWN'],
      [new LayerpullError('access_denied', 'x'), 401, 'UNAUTHORIZED'],
      [new LayerpullError('access_denied', 'x', { origin: 'user' }), 403, 'DENIED'],
      [new LayerpullError('rate_limited', 'x', { retryAfterMs: 1_500 }), 429, 'TOOMANYREQUESTS'],
      [new LayerpullError('registry_unreachable', 'x'), 502, 'UNAVAILABLE'],
      [new LayerpullError('timed_out', 'x'), 504, 'UNAVAILABLE'],
      [new LayerpullError('store_full', 'x'), 503, 'UNAVAILABLE'],
      [new LayerpullError('lock_unreachable', 'x'), 500, 'UNAVAILABLE'],
    ];
    for (const [error, status, code] of cases) {
      const { url } = await serve({ resolve: () => Promise.reject(error) });
      const answer = await ask(`${url}${path}/manifests/latest`);
      expect([error.code, answer.status, codeIn(answer.bytes)]).toEqual([error.code, status, code]);
      const isAsked = answer.headers.get('www-authenticate') !== null;
      expect([error.code, isAsked]).toEqual([error.code, status === 401]);
      if (status === 429) expect(answer.headers.get('retry-after')).toBe('2');
    }
  });

  test('a registry that no name server knows is not found', async () => {
    const cause = Object.assign(new Error('no'), { code: 'ENOTFOUND' });
    const error = new LayerpullError('registry_unreachable', 'no such host', { cause });
    const { url } = await serve({ resolve: () => Promise.reject(error) });
    const answer = await ask(`${url}${path}/manifests/latest`);
    expect([answer.status, codeIn(answer.bytes)]).toEqual([404, 'NAME_UNKNOWN']);
  });

  test('who showed credentials that are refused is not asked for them again', async () => {
    const { url } = await serve({ resolve: () => Promise.reject(new LayerpullError('access_denied', 'x')) });
    const headers = { authorization: `Basic ${Buffer.from('a:b').toString('base64')}` };
    const answer = await ask(`${url}${path}/manifests/latest`, { headers });
    expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([403, null]);
  });

  test('an error that nobody foresaw tells nothing of itself', async () => {
    const { url } = await serve({ resolve: () => Promise.reject(new Error('/a/path of the machine')) });
    const answer = await ask(`${url}${path}/manifests/latest`);
    expect(answer.status).toBe(500);
    expect(answer.bytes.toString()).not.toContain('/a/path');
  });

  test('only reading is possible', async () => {
    const { url } = await serve({});
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      const answer = await ask(`${url}${path}/manifests/latest`, { method });
      expect([method, answer.status]).toEqual([method, 405]);
    }
    const uploads = await ask(`${url}${path}/blobs/uploads/`, { method: 'POST', body: 'x'.repeat(100_000) });
    expect(uploads.status).toBeGreaterThanOrEqual(400);
    expect((await ask(`${url}${path}/tags/list`)).status).toBe(404);
  });

  test('a password that is empty is nobody', async () => {
    const { url, callers } = await serve({});
    const basic = (pair: string) => ({ authorization: `Basic ${Buffer.from(pair).toString('base64')}` });
    await ask(`${url}${path}/manifests/latest`, { headers: basic(':') });
    await ask(`${url}${path}/manifests/latest`, { headers: basic('a:b') });
    expect(callers).toEqual([{}, basic('a:b')]);
  });
});

describe('a door that asks for a token', () => {
  test('opens to the token, as it is or as a password, and keeps it from the registry', async () => {
    const { url, callers } = await serve({}, { door: tokenDoor('opensesame') });
    const asked = `${url}${path}/manifests/latest`;
    const with_ = async (authorization: string) => (await ask(asked, { headers: { authorization } })).status;
    expect((await ask(asked)).status).toBe(401);
    expect((await ask(`${url}/v2/`)).status).toBe(401);
    expect((await ask(`${url}/v2/`)).headers.get('www-authenticate')).toBe('Basic realm="layerpull"');
    expect(await with_('Bearer wrong')).toBe(401);
    expect(await with_(`Basic ${Buffer.from('me:wrong').toString('base64')}`)).toBe(401);
    expect(callers).toEqual([]);
    expect(await with_('Bearer opensesame')).toBe(200);
    expect(await with_(`Basic ${Buffer.from('me:opensesame').toString('base64')}`)).toBe(200);
    expect(callers).toEqual([{}, {}]);
  });
});

describe('a blob whose bytes come slowly', () => {
  test('gets its headers before its bytes when these take long', async () => {
    const gate = deferred<void>();
    const { url, clock } = await serve(
      layerOf(async function* () {
        await gate.promise;
        yield Buffer.from('abcdef');
      }),
    );
    const request = http.get(`${url}${path}/blobs/${layer.digest}`);
    const answered = once(request, 'response');
    await expect.poll(() => clock.pending()).toBeGreaterThan(0);
    await clock.advance(5_000);
    const [response] = await answered;
    expect([response.statusCode, response.headers['content-length']]).toEqual([200, '6']);
    expect(response.headers['docker-distribution-api-version']).toBe('registry/2.0');
    gate.resolve();
    expect(Buffer.concat(await response.toArray()).toString()).toBe('abcdef');
  });

  test('is a plain error when it fails before', async () => {
    const { url } = await serve(
      // biome-ignore lint/correctness/useYield: it fails before it has anything to give
      layerOf(async function* () {
        throw new LayerpullError('registry_unreachable', 'gone');
      }),
    );
    const answer = await ask(`${url}${path}/blobs/${layer.digest}`);
    expect([answer.status, codeIn(answer.bytes)]).toEqual([502, 'UNAVAILABLE']);
    expect(answer.headers.get('content-range')).toBeNull();
  });

  test('breaks the connection when it fails in the middle', async () => {
    const { url } = await serve(
      layerOf(async function* () {
        yield Buffer.from('abc');
        throw new LayerpullError('registry_unreachable', 'gone');
      }),
    );
    await expect(ask(`${url}${path}/blobs/${layer.digest}`)).rejects.toThrow();
  });

  test('stops when the client goes away', async () => {
    const stopped = deferred<void>();
    const { url } = await serve(
      layerOf(async function* (signal) {
        signal.addEventListener('abort', () => stopped.resolve());
        yield Buffer.from('abc');
        await stopped.promise;
        signal.throwIfAborted();
      }),
    );
    const request = http.get(`${url}${path}/blobs/${layer.digest}`);
    const [response] = await once(request, 'response');
    await once(response, 'data');
    response.destroy();
    await stopped.promise;
  });
});

describe('hostile requests', () => {
  const raw = async (url: string, text: string): Promise<string> => {
    const { port } = new URL(url);
    const socket = net.connect(Number(port), '127.0.0.1');
    socket.on('error', () => {});
    socket.end(text);
    const pieces: Buffer[] = [];
    for await (const piece of socket) pieces.push(piece);
    return Buffer.concat(pieces).toString();
  };

  test('paths that lead elsewhere lead nowhere', async () => {
    const { url, callers } = await serve({});
    for (const target of [
      '/../../etc/passwd',
      '/v2/../../../etc/passwd',
      '//evil/v2/',
      '*',
      '/v2/%2e%2e/%2e%2e/x',
    ]) {
      const answer = await raw(url, `GET ${target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`);
      expect([target, /^HTTP\/1\.1 40[04] /.test(answer)]).toEqual([target, true]);
    }
    expect(callers).toEqual([]);
  });

  test('heads without end, and what is no HTTP, end the connection and nothing else', async () => {
    const { url } = await serve({});
    await raw(url, `GET /v2/ HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`);
    await raw(url, '\x16\x03\x01 hello');
    await raw(
      url,
      'GET /v2/ HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    );
    expect((await ask(`${url}/v2/`)).status).toBe(200);
  });

  test('a mirror that is led to itself says so at once', async () => {
    const { url, callers } = await serve({}, { ownName: 'layerpull-mirror/1234' });
    const headers = { 'user-agent': 'layerpull/1 layerpull-mirror/1234' };
    expect((await ask(`${url}${path}/manifests/latest`, { headers })).status).toBe(404);
    expect(callers).toEqual([]);
  });
});

test('an address that is taken is named', async () => {
  const { url, server } = await serve({});
  const other = createMirrorServer({ clock: createFakeClock(), content: {} as MirrorContent });
  const port = Number(new URL(url).port);
  await expect(other.listen({ host: '127.0.0.1', port })).rejects.toMatchObject({ code: 'address_in_use' });
  await server.close();
  await server.close();
  await other.close();
});

describe('a mirror that is about to end', () => {
  test('begins no pull, goes on with those that began, and is busy until they ask for no more', async () => {
    const gate = deferred<void>();
    const { url, clock, server, callers } = await serve(
      layerOf(async function* () {
        yield Buffer.from('abc');
        await gate.promise;
        yield Buffer.from('def');
      }),
    );
    expect([server.isBusy, server.answers]).toEqual([false, 0]);
    const reading = ask(`${url}${path}/blobs/${layer.digest}`);
    await expect.poll(() => server.answers).toBe(1);
    server.drain();
    const refused = await ask(`${url}${path}/manifests/latest`);
    expect([refused.status, codeIn(refused.bytes)]).toEqual([503, 'UNAVAILABLE']);
    expect(callers).toEqual([]);
    expect((await ask(`${url}${path}/manifests/${digest}`)).status).toBe(200);
    gate.resolve();
    expect((await reading).bytes.toString()).toBe('abcdef');
    await expect.poll(() => server.answers).toBe(0);
    expect(server.isBusy).toBe(true);
    await clock.advance(1_000);
    expect(server.isBusy).toBe(false);
  });
});
