import { readFile } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { type Deferred, deferred } from '../../../src/core/abort.ts';
import type { AcquireReply } from '../../../src/lock/locks.ts';
import { answersIn, connectRaw, dropClients, type RawClient, rawRequest } from './raw-client.ts';
import { ask, fakeLocks, layer, type Running, serve, stopServers } from './support.ts';

afterEach(stopServers);
afterEach(dropClients);

const asks = (node_id: string) => rawRequest('POST /lock', { type: 'pull', resource_id: layer, node_id });

interface Slow extends Running {
  readonly client: RawClient;
  /** The nodes whose requests were begun, in their order. */
  readonly begun: string[];
  /** Resolves once a request was begun; answers it when resolved. */
  readonly first: Promise<Deferred<AcquireReply>>;
}

/** A server that keeps the node `slow` waiting. */
async function serveSlow(): Promise<Slow> {
  const begun: string[] = [];
  const first = deferred<Deferred<AcquireReply>>();
  const locks = fakeLocks({
    async acquire({ nodeId }) {
      begun.push(nodeId);
      if (nodeId !== 'slow') return { kind: 'skip' };
      const reply = deferred<AcquireReply>();
      first.resolve(reply);
      return await reply.promise;
    },
  });
  const server = await serve(locks);
  const client = await connectRaw(server.url);
  return { ...server, client, begun, first: first.promise };
}

const statuses = (text: string) => answersIn(text).map(({ status }) => status);

describe('requests that do not wait for answers', () => {
  it('are begun and answered in their order', async () => {
    const { client, begun, first } = await serveSlow();
    client.write(asks('slow') + asks('b') + rawRequest('GET /healthz') + asks('c'));
    const reply = await first;
    client.write(rawRequest('GET /nothing'));
    expect(begun).toEqual(['slow']);
    reply.resolve({ kind: 'queued', position: 7 });
    const answers = answersIn(await client.received('no_route'));
    expect(begun).toEqual(['slow', 'b', 'c']);
    expect(answers.map(({ status, body }) => [status, body['position'] ?? body['skip']])).toEqual([
      [200, 7],
      [200, true],
      [200, undefined],
      [200, true],
      [404, undefined],
    ]);
  });

  it('are answered before the nonsense behind them', async () => {
    const { client, first } = await serveSlow();
    client.write(`${asks('slow')}${asks('b')}nonsense\r\n\r\n`);
    (await first).resolve({ kind: 'skip' });
    expect(statuses(await client.ended())).toEqual([200, 200, 400]);
  });

  it('are 64 at most; the rest is told to come back', async () => {
    const { url, client, first } = await serveSlow();
    client.write(asks('slow') + asks('b').repeat(70));
    // What was sent before is read before, at the latest, the second of two answers elsewhere.
    for (let time = 0; time < 2; time += 1) await ask(url, 'GET', '/healthz');
    (await first).resolve({ kind: 'skip' });
    const answers = answersIn(await client.ended());
    expect(answers.map(({ status }) => status)).toEqual([...Array(65).fill(200), 503]);
    expect(answers.at(-1)?.head).toContain('retry-after: 1');
  });

  it('are not begun once the client is gone', async () => {
    const { client, begun, first, close } = await serveSlow();
    client.write(asks('slow') + asks('b'));
    const reply = await first;
    client.socket.destroy();
    await close();
    reply.resolve({ kind: 'skip' });
    await new Promise((resolve) => setImmediate(resolve));
    expect(begun).toEqual(['slow']);
  });
});

describe('a body', () => {
  it('that is too long by its length is refused before it comes', async () => {
    const { client } = await serveSlow();
    client.write('POST /lock HTTP/1.1\r\nhost: test\r\ncontent-length: 65537\r\n\r\n{');
    const answer = {
      status: 413,
      body: { code: 'body_too_large', message: 'the body is longer than 64 KiB' },
    };
    expect(answersIn(await client.ended())).toMatchObject([answer]);
  });

  it('that is too long in chunks is refused before it ends', async () => {
    const { client } = await serveSlow();
    client.write('POST /lock HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n');
    for (let chunk = 0; chunk < 17; chunk += 1) client.write(`1000\r\n${' '.repeat(0x1000)}\r\n`);
    expect(answersIn(await client.ended())).toMatchObject([
      { status: 413, body: { code: 'body_too_large' } },
    ]);
  });

  it('that goes on after the refusal is cut off after a mebibyte', async () => {
    const { client } = await serveSlow();
    client.write('POST /lock HTTP/1.1\r\nhost: test\r\ncontent-length: 1000000000\r\n\r\n');
    const closed = new Promise((resolve) => client.socket.once('close', resolve));
    let sent = 0;
    const send = () => {
      while (!client.socket.destroyed && client.socket.write(Buffer.alloc(65_536))) sent += 65_536;
    };
    client.socket.on('drain', send);
    send();
    await closed;
    expect(answersIn(client.text())).toMatchObject([{ status: 413 }]);
    expect(sent).toBeLessThan(100_000_000);
  });

  it('of 64 KiB is read, by its length and in chunks', async () => {
    const { client } = await serveSlow();
    const text = JSON.stringify({ type: 'pull', resource_id: layer, node_id: 'b' }).padEnd(65_536);
    client.write(rawRequest('POST /lock', text));
    client.write('POST /lock HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n');
    client.write(`10000\r\n${text}\r\n0\r\n\r\n`);
    await client.received(/already done.*already done/s);
    expect(statuses(client.text())).toEqual([200, 200]);
  });

  it('that the client asks about is sent only if it is not too long', async () => {
    const { client } = await serveSlow();
    const text = JSON.stringify({ type: 'pull', resource_id: layer, node_id: 'b' });
    const head = (length: number) =>
      `POST /lock HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\ncontent-length: ${length}\r\n\r\n`;
    client.write(head(text.length));
    await client.received('HTTP/1.1 100 Continue\r\n\r\n');
    client.write(text);
    await client.received('already done');
    client.write(head(100_000));
    expect(statuses(await client.ended())).toEqual([100, 200, 413]);
  });
});

describe('what is no request of the protocol', () => {
  const to = 'HTTP/1.1\r\nhost: test\r\n';

  it.each([
    ['nonsense', 'nonsense\r\n\r\n', 400, 'invalid_request'],
    ['an unknown version', 'GET / HTTP/9.9\r\nhost: test\r\n\r\n', 400, 'invalid_request'],
    ['a request to no host', 'GET / HTTP/1.1\r\nconnection: close\r\n\r\n', 400, 'invalid_request'],
    ['a broken header', `GET / ${to}broken header\r\n\r\n`, 400, 'invalid_request'],
    ['a negative length', `POST /lock ${to}content-length: -1\r\n\r\n`, 400, 'invalid_request'],
    ['a broken chunk', `POST /lock ${to}transfer-encoding: chunked\r\n\r\nxyz\r\n`, 400, 'invalid_request'],
    ['a long path', `GET /${'x'.repeat(20_000)} ${to}\r\n`, 431, 'headers_too_large'],
    ['a long header', `GET / ${to}x: ${'x'.repeat(20_000)}\r\n\r\n`, 431, 'headers_too_large'],
    ['a tunnel', `CONNECT other:443 ${to}\r\n`, 405, undefined],
  ])('such as %s is answered in JSON', async (_, bytes, status, code) => {
    const { client } = await serveSlow();
    client.write(bytes);
    const [answer] = answersIn(await client.ended());
    expect(answer?.status).toBe(status);
    expect(answer?.body['code']).toBe(code);
    expect(answer?.head).toContain('content-type: application/json');
    expect(answer?.body['message']).toBeTruthy();
  });

  it('is answered as far as HTTP allows: an upgrade is not made, an unknown expectation not met', async () => {
    const { client } = await serveSlow();
    client.write(rawRequest('GET /healthz', undefined, ['connection: upgrade', 'upgrade: websocket']));
    await client.received('"ok"');
    client.write(rawRequest('GET /nothing', undefined, ['expect: wonders']));
    await client.received('no_route');
    expect(statuses(client.text())).toEqual([200, 404]);
  });
});

describe('a connection whose peer vanished', () => {
  it.runIf(process.platform === 'linux')(
    'is probed by the system after thirty seconds of silence',
    async () => {
      const { client } = await serveSlow();
      client.write(rawRequest('GET /healthz'));
      await client.received('"ok"');
      const port = (client.socket.localPort ?? 0).toString(16).toUpperCase().padStart(4, '0');
      const lines = (await readFile('/proc/net/tcp', 'utf8'))
        .split('\n')
        .map((line) => line.trim().split(/\s+/));
      // Established, and not the client's own side.
      const served = lines.find((columns) => columns[2]?.endsWith(`:${port}`) && columns[3] === '01');
      // The column of timers: 02 is the one for keeping alive, then how long until it goes off, in hundredths of a second.
      const [kind, left = ''] = served?.[5]?.split(':') ?? [];
      expect(kind).toBe('02');
      expect(Number.parseInt(left, 16)).toBeLessThanOrEqual(3_000);
    },
  );
});
