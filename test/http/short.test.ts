import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createHttpClient, type HttpClient } from '../../src/http/client.ts';
import { createServers, urlOn } from '../../src/http/servers.ts';
import { createShortClient, type ShortClientOptions } from '../../src/http/short.ts';
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts';

const open: { close(): unknown }[] = [];

afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

async function serve(listener: RequestListener): Promise<URL> {
  const server: Server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push({ close: () => new Promise((resolve) => server.close(resolve).closeAllConnections()) });
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

/** An address where nobody listens. */
async function deserted(): Promise<URL> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return new URL(`http://127.0.0.1:${port}`);
}

function client(urls: readonly URL[], options: Partial<ShortClientOptions> = {}) {
  const http: HttpClient = createHttpClient({ userAgent: 'test' });
  open.push(http);
  const clock = createFakeClock();
  const servers = createServers(urls);
  return { clock, servers, short: createShortClient({ http, servers, clock, ...options }) };
}

/** Moves time on, a second at a time, until `promise` settles. */
async function settled<T>(clock: FakeClock, promise: Promise<T>): Promise<T> {
  let done = false;
  const end = () => {
    done = true;
  };
  promise.then(end, end);
  while (!done) {
    // Real sockets need real turns of the loop, but fake seconds must not outrun a timeout.
    for (let turn = 0; turn < 50 && !done; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    if (!done && clock.pending() === 1) await clock.advance(1_000);
  }
  return promise;
}

const json = (status: number, body: unknown): RequestListener => {
  return (_, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
};

describe('the short client', () => {
  it('sends JSON and hands back the JSON of any status that is an answer', async () => {
    const received: unknown[] = [];
    const url = await serve(async (request, response) => {
      let text = '';
      for await (const part of request) text += part;
      received.push(request.method, request.url, request.headers['content-type'], text);
      response.writeHead(409).end('{"released":false}');
    });
    const { short } = client([new URL(`${url}base/`)]);
    const reply = await short.send({ method: 'POST', path: '/unlock?x=1', body: { a: 1, b: undefined } });
    expect(reply).toMatchObject({ status: 409, body: { released: false } });
    expect(received).toEqual(['POST', '/base/unlock?x=1', 'application/json', '{"a":1}']);
  });

  it('hands back undefined for a body that is empty or not JSON', async () => {
    const { short } = client([await serve((_, response) => response.end('<html>'))]);
    expect((await short.send({ method: 'GET', path: '/' })).body).toBeUndefined();
  });

  it('tries 502, 503 and 504 three more times, then hands the reply back', async () => {
    let requests = 0;
    const url = await serve((request, response) => {
      requests += 1;
      json(503, { message: 'full' })(request, response);
    });
    const { short, clock } = client([url]);
    const reply = await settled(clock, short.send({ method: 'GET', path: '/' }));
    expect(reply).toMatchObject({ status: 503, body: { message: 'full' } });
    expect(requests).toBe(4);
    // Three pauses of at least half a second each.
    expect(clock.now()).toBeGreaterThanOrEqual(1_500);
  });

  it('spreads its pauses over the second half of the delay', async () => {
    const url = await serve(json(503, {}));
    const pauses: number[] = [];
    const sleep = async (ms: number, signal?: AbortSignal) => {
      if (ms <= 800) return void pauses.push(ms);
      // The deadline of a try, which ends with it.
      await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
    };
    const draws = [0, 0.5, 1];
    const random = () => draws.shift() ?? 0;
    const clock = { ...createFakeClock(), sleep };
    const { short } = client([url], { clock, random, retryDelayMs: 800 });
    expect((await short.send({ method: 'GET', path: '/' })).status).toBe(503);
    expect(pauses).toEqual([400, 600, 800]);
  });

  it('does not try other answers again', async () => {
    let requests = 0;
    const url = await serve((request, response) => {
      requests += 1;
      json(500, {})(request, response);
    });
    expect((await client([url]).short.send({ method: 'GET', path: '/' })).status).toBe(500);
    expect(requests).toBe(1);
  });

  it('sends a request again after a broken connection, but not one that must not come twice', async () => {
    let requests = 0;
    const url = await serve((request, response) => {
      requests += 1;
      if (requests === 1) request.socket.destroy();
      else json(200, { requests })(request, response);
    });
    const first = client([url]);
    const once = first.short.send({ method: 'POST', path: '/lock', body: {}, repeatable: false });
    await expect(once).rejects.toMatchObject({ name: 'TransportError', unsent: false });
    requests = 0;
    const again = client([url]);
    const reply = await settled(again.clock, again.short.send({ method: 'POST', path: '/lock', body: {} }));
    expect(reply.body).toEqual({ requests: 2 });
  });

  it('goes to the next server at once when one cannot be connected to, and stays there', async () => {
    const gone = await deserted();
    const alive = await serve(json(200, { ok: true }));
    const { short, servers, clock } = client([gone, alive]);
    expect((await short.send({ method: 'GET', path: '/' })).server).toEqual(alive);
    expect(servers.current()).toEqual(alive);
    expect(clock.now()).toBe(0);
  });

  it.each([
    ['breaks the connection', (request, _response) => void request.socket.destroy()],
    ['answers 502', json(502, {})],
    ['answers 503', json(503, {})],
    ['answers 504', json(504, {})],
  ] satisfies [string, RequestListener][])(
    'sends the same request to the next server at once when one %s, and stays there',
    async (_, fault) => {
      const bodies: string[] = [];
      const listen = (answer: RequestListener): RequestListener => {
        return async (request, response) => {
          let text = '';
          for await (const part of request) text += part;
          bodies.push(text);
          answer(request, response);
        };
      };
      const [bad, good] = [await serve(listen(fault)), await serve(listen(json(200, {})))];
      const { short, servers, clock } = client([bad, good]);
      const request = { method: 'POST', path: '/lock', body: { request_id: 'r-1' } } as const;
      expect(await short.send(request)).toMatchObject({ status: 200, server: good });
      expect(await short.send(request)).toMatchObject({ status: 200, server: good });
      expect(bodies).toEqual(Array(3).fill('{"request_id":"r-1"}'));
      expect([servers.current(), clock.now()]).toEqual([good, 0]);
    },
  );

  it('takes a 401 for an answer only where all servers give it, and does not ask for it again', async () => {
    const asked: number[] = [];
    const denying = (index: number) =>
      serve((request, response) => {
        asked.push(index);
        json(401, { code: 'token_wrong' })(request, response);
      });
    const servers = [await denying(0), await denying(1)];
    const request = { method: 'GET', path: '/' } as const;
    expect(await client(servers).short.send(request)).toMatchObject({ status: 401, tried: 2 });
    expect((await client(servers.slice(0, 1)).short.send(request)).status).toBe(401);
    expect(asked).toEqual([0, 1, 0]);
    const rest = [...servers, await serve(json(200, {}))];
    expect((await client(rest).short.send(request)).status).toBe(200);
  });

  it.each([200, 404, 500])(
    'goes on where something else listens, which answers %i without JSON',
    async (status) => {
      let asked = 0;
      const stranger = await serve((_, response) => {
        asked += 1;
        response.writeHead(status, { 'content-type': 'text/html' }).end('<html>');
      });
      const request = { method: 'GET', path: '/' } as const;
      const { short, servers } = client([stranger, await serve(json(200, {}))]);
      expect((await short.send(request)).status).toBe(200);
      expect([asked, servers.current() === stranger]).toEqual([1, false]);
      expect((await client([stranger]).short.send(request)).status).toBe(status);
      expect(asked).toBe(2);
    },
  );

  it('does not send on what must not come twice and may have arrived', async () => {
    const broken = await serve((request) => request.socket.destroy());
    let requests = 0;
    const other = await serve((request, response) => {
      requests += 1;
      json(200, {})(request, response);
    });
    const { short, clock } = client([broken, other]);
    const once = short.send({ method: 'POST', path: '/lock', body: {}, repeatable: false });
    await expect(once).rejects.toMatchObject({ name: 'TransportError', unsent: false });
    const unsent = client([await deserted(), other]).short;
    expect((await unsent.send({ method: 'POST', path: '/', body: {}, repeatable: false })).status).toBe(200);
    expect([requests, clock.now()]).toEqual([1, 0]);
  });

  it('asks the next server as well while one is silent, and all of them within one timeout', async () => {
    const arrived: string[] = [];
    const silent = (name: string) => serve(() => void arrived.push(name));
    const urls = [await silent('a'), await silent('b'), await silent('c')];
    const { short, servers, clock } = client(urls, { retries: 0, timeoutMs: 5_000 });
    const reply = short.send({ method: 'GET', path: '/' });
    reply.catch(() => {});
    await expect.poll(() => arrived).toEqual(['a']);
    await clock.advance(750);
    await expect.poll(() => arrived).toEqual(['a', 'b']);
    await clock.advance(750);
    await expect.poll(() => arrived).toEqual(['a', 'b', 'c']);
    await clock.advance(3_499);
    expect(clock.pending()).toBe(1);
    await clock.advance(1);
    await expect(reply).rejects.toMatchObject({ message: 'no reply in time', tried: 3 });
    expect([servers.current(), clock.pending()]).toEqual([urls[0], 0]);
  });

  it('says how many servers were tried when none is left, and lets one speak that may come back', async () => {
    const [gone, full] = [await deserted(), await serve(json(503, { message: 'full' }))];
    const { short } = client([gone, full], { retries: 0 });
    const request = { method: 'GET', path: '/' } as const;
    expect(await short.send(request)).toMatchObject({ status: 503, server: full, tried: 2 });
    const refused = client([gone, await deserted()], { retries: 0 }).short.send(request);
    await expect(refused).rejects.toMatchObject({ message: 'connection refused', tried: 2 });
    const [clear] = [await serve(json(200, {}))];
    const noTls = new URL(clear.href.replace('http:', 'https:'));
    const mixed = client([gone, noTls], { retries: 0 }).short.send(request);
    await expect(mixed).rejects.toMatchObject({ message: 'connection refused', server: gone, tried: 2 });
  });

  it('heeds how long a server asks to wait, within bounds, when no other is left', async () => {
    const askFor = async (retryAfter: string, count: number) => {
      const busy: RequestListener = (_, response) =>
        void response.writeHead(503, { 'retry-after': retryAfter }).end();
      const urls = await Promise.all(Array.from({ length: count }, () => serve(busy)));
      const { short, clock } = client(urls, { retries: 1, random: () => 0 });
      await settled(clock, short.send({ method: 'GET', path: '/' }));
      return clock.now();
    };
    expect(await askFor('4', 1)).toBe(4_000);
    expect(await askFor('4', 2)).toBe(4_000);
    expect(await askFor('3600', 1)).toBe(10_000);
    expect(await askFor('soon', 1)).toBe(1_000);
  });

  it('says that a connection was refused, and that nothing was sent', async () => {
    const { short } = client([await deserted()], { retries: 0 });
    await expect(short.send({ method: 'GET', path: '/' })).rejects.toMatchObject({
      message: 'connection refused',
      unsent: true,
    });
  });

  it('gives one try no longer than its timeout, whatever the server sends meanwhile', async () => {
    const arrived = new Promise<void>((resolve) => {
      void serve((_, response) => {
        response.write('{');
        resolve();
      }).then((url) => begin(url));
    });
    let pending: Promise<unknown> = Promise.resolve();
    let time: FakeClock | undefined;
    function begin(url: URL) {
      const { short, clock } = client([url], { retries: 0, timeoutMs: 5_000 });
      time = clock;
      pending = short.send({ method: 'GET', path: '/' });
      pending.catch(() => {});
    }
    await arrived;
    await time?.advance(5_000);
    await expect(pending).rejects.toThrow('no reply in time');
  });

  it('refuses a reply that is longer than allowed, and does not ask again', async () => {
    let requests = 0;
    const url = await serve((_, response) => {
      requests += 1;
      response.end(`"${'x'.repeat(2_000)}"`);
    });
    const { short } = client([url]);
    const reply = short.send({ method: 'GET', path: '/', maxReplyBytes: 1_000 });
    await expect(reply).rejects.toThrow('longer than 1000 bytes');
    expect(requests).toBe(1);
  });

  it('ends with the reason of its signal, while it waits and between tries', async () => {
    const reason = new Error('stop');
    const stop = new AbortController();
    const url = await serve(() => stop.abort(reason));
    const waiting = client([url]).short.send({ method: 'GET', path: '/', signal: stop.signal });
    await expect(waiting).rejects.toBe(reason);

    const later = new AbortController();
    const { short, clock } = client([await deserted()]);
    const retrying = short.send({ method: 'GET', path: '/', signal: later.signal });
    retrying.catch(() => {});
    later.abort(reason);
    await expect(retrying).rejects.toBe(reason);
    expect(clock.pending()).toBe(0);
  });
});

describe('urlOn', () => {
  it('keeps the path of the server', () => {
    expect(urlOn(new URL('http://h:1'), '/lock').href).toBe('http://h:1/lock');
    expect(urlOn(new URL('http://h:1/a/b/'), '/lock?x=1').href).toBe('http://h:1/a/b/lock?x=1');
  });
});
