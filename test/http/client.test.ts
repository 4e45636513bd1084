import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, expect, it } from 'vitest';
import { createHttpClient, type HttpClient } from '../../src/http/client.ts';
import { readWhole } from '../../src/http/limits.ts';
import { sendFollowing } from '../../src/http/redirects.ts';
import { settle } from '../support/fake-clock.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(listener: RequestListener) {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { server, url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`) };
}

function client(): HttpClient {
  const http = createHttpClient({ userAgent: 'layerpull/test', refuseLinkLocal: true });
  cleanups.push(() => http.close());
  return http;
}

const never = () => new Error('too long');

it('says who asks, follows nothing and decompresses nothing', async () => {
  const zipped = gzipSync('hello');
  const { url } = await serve((request, response) => {
    expect(request.headers['user-agent']).toBe('layerpull/test');
    expect(request.headers['accept-encoding']).toBe('identity');
    response
      .writeHead(302, { location: '/x', 'content-encoding': 'gzip', 'set-cookie': ['a=1', 'b=2'] })
      .end(zipped);
  });
  const response = await client().send({ method: 'GET', url });
  expect(response.status).toBe(302);
  expect(response.headers['set-cookie']).toBe('a=1, b=2');
  expect(await readWhole(response.body, 1_000, never)).toEqual(zipped);
});

it('uses one connection again after a body was read or discarded', async () => {
  const ports = new Set<number | undefined>();
  const { url } = await serve((request, response) => {
    ports.add(request.socket.remotePort);
    response.end('x'.repeat(1_000));
  });
  const http = client();
  await (await http.send({ method: 'GET', url })).discard();
  await settle();
  await readWhole((await http.send({ method: 'GET', url })).body, 1_000, never);
  await settle();
  await (await http.send({ method: 'GET', url })).discard();
  expect(ports.size).toBe(1);
});

it('closes the connection when the loop over the body is left', async () => {
  let closed: Promise<unknown> | undefined;
  const { url } = await serve((_request, response) => {
    closed = once(response, 'close');
    response.write('some');
  });
  const { body } = await client().send({ method: 'GET', url });
  for await (const _ of body) break;
  await closed;
});

it('ends with the reason of its signal, before and after the headers', async () => {
  const { url } = await serve((request, response) => {
    if (request.url === '/headers') response.write('some');
  });
  const before = new AbortController();
  const silent = client().send({ method: 'GET', url, signal: before.signal });
  before.abort(new Error('enough'));
  await expect(silent).rejects.toThrow('enough');
  const after = new AbortController();
  const { body } = await client().send({
    method: 'GET',
    url: new URL('/headers', url),
    signal: after.signal,
  });
  const reading = readWhole(body, 1_000, never);
  after.abort(new Error('enough'));
  await expect(reading).rejects.toThrow('enough');
});

it('ends with the reason of its signal while no connection comes about', async () => {
  const mute = createTcpServer(() => {}).listen(0, '127.0.0.1');
  const [socket] = [once(mute, 'connection'), await once(mute, 'listening')];
  const http = createHttpClient({ userAgent: 'layerpull/test', connectTimeoutMs: 600_000 });
  const enough = new AbortController();
  const url = new URL(`https://127.0.0.1:${(mute.address() as AddressInfo).port}/`);
  const sending = http.send({ method: 'GET', url, signal: enough.signal });
  const [connection] = await socket;
  cleanups.push(() => http.close());
  cleanups.push(() => {
    connection.destroy();
    mute.close();
  });
  enough.abort(new Error('enough'));
  await expect(sending).rejects.toThrow('enough');
});

it('reaches a name that is not link-local', async () => {
  const { url } = await serve((_request, response) => response.end('ok'));
  const named = new URL(`http://localhost:${url.port}/`);
  expect((await client().send({ method: 'GET', url: named })).status).toBe(200);
});

it('sends nothing any more once it is closed', async () => {
  const { url } = await serve((_request, response) => response.end('ok'));
  const [fresh, used] = [client(), client()];
  await (await used.send({ method: 'GET', url })).discard();
  for (const http of [fresh, used]) {
    await http.close();
    await http.close();
    await expect(http.send({ method: 'GET', url })).rejects.toMatchObject({ code: 'UND_ERR_DESTROYED' });
  }
});

it('waits for no rest that does not come, neither of an answer that is dropped nor of a redirect', async () => {
  const { url } = await serve((request, response) => {
    if (request.url === '/there') return void response.end('hello');
    response.writeHead(302, { location: '/there' }).write('x');
  });
  const http = client();
  const request = { method: 'GET', url, bodyTimeoutMs: 0 } as const;
  await (await http.send(request)).discard();
  const { status, body } = await sendFollowing(http, request);
  expect([status, (await readWhole(body, 1_000, never)).toString()]).toEqual([200, 'hello']);
});
