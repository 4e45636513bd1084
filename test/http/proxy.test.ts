import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { createHttpClient, type HttpClient, type HttpClientOptions } from '../../src/http/client.ts';
import { readWhole } from '../../src/http/limits.ts';
import { ProxyError } from '../../src/http/proxy-error.ts';
import { sendFollowing } from '../../src/http/redirects.ts';
import { createAuthority } from '../support/certificates.ts';
import { onCleanup } from '../support/cleanup.ts';
import { settle } from '../support/fake-clock.ts';
import { tempDir } from '../support/temp.ts';
import { type SeenRequest, startTlsHost } from '../support/tls-host.ts';
import { startWebProxy } from '../support/web-proxy.ts';

const authority = createAuthority();
const served = authority.issue({ names: ['registry.test', 'other.test', '10.1.2.3'] });
const caFiles = () => {
  const file = path.join(tempDir(), 'ca.pem');
  writeFileSync(file, authority.cert);
  return [file];
};

function client(proxy: string, more: Partial<HttpClientOptions> = {}): HttpClient {
  const proxies = { http: { text: proxy, from: 'HTTP_PROXY' }, https: { text: proxy, from: 'HTTPS_PROXY' } };
  const tls = { caFiles: caFiles() };
  const http = createHttpClient({ userAgent: 'test/1', refuseLinkLocal: true, tls, proxies, ...more });
  onCleanup(() => http.close());
  return http;
}

/** A plain server; answers with the host that it was asked for. */
async function startPlain() {
  const requests: Pick<SeenRequest, 'path' | 'headers'>[] = [];
  const server = createServer((request, response) => {
    requests.push({ path: request.url ?? '', headers: request.headers });
    response.end(`hello ${request.headers.host}`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onCleanup(() => {
    server.close();
    server.closeAllConnections();
  });
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

async function read(http: HttpClient, url: string): Promise<string> {
  const { body } = await http.send({ method: 'GET', url: new URL(url) });
  return (await readWhole(body, 1_000, () => new Error('too long'))).toString();
}

const errorOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error) => error,
  );

describe('https through a proxy', () => {
  it('goes through one tunnel, which carries several requests and none of their content', async () => {
    const origin = await startTlsHost(served, ({ path: asked }) => ({ status: 200, body: `got ${asked}` }));
    const proxy = await startWebProxy({ hosts: { 'registry.test:5000': origin.host } });
    const http = client(`http://${proxy.host}`);
    expect(await read(http, 'https://registry.test:5000/a?b=c')).toBe('got /a?b=c');
    await settle();
    expect(await read(http, 'https://registry.test:5000/d')).toBe('got /d');
    expect(proxy.lines()).toEqual(['CONNECT registry.test:5000']);
    expect(proxy.requests[0]?.headers).toMatchObject({ host: 'registry.test:5000', 'user-agent': 'test/1' });
    expect(origin.requests[0]?.headers).toMatchObject({ host: 'registry.test:5000' });
    expect(origin.requests[0]?.headers).not.toHaveProperty('proxy-authorization');
  });

  it('names the port that https has, and reaches addresses', async () => {
    const origin = await startTlsHost(served);
    const proxy = await startWebProxy({
      hosts: { 'registry.test:443': origin.host, '10.1.2.3:443': origin.host },
    });
    const http = client(proxy.host);
    expect(await read(http, 'https://registry.test/')).toBe('ok');
    expect(await read(http, 'https://10.1.2.3/')).toBe('ok');
    expect(proxy.lines()).toEqual(['CONNECT registry.test:443', 'CONNECT 10.1.2.3:443']);
  });

  it('verifies the host behind the tunnel, by its name', async () => {
    const origin = await startTlsHost(authority.issue({ names: ['elsewhere.test'] }));
    const proxy = await startWebProxy({ hosts: { 'registry.test:443': origin.host } });
    expect(await errorOf(read(client(proxy.host), 'https://registry.test/'))).toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    });
    const strict = client(proxy.host, { tls: {} });
    expect(await errorOf(read(strict, 'https://registry.test/'))).not.toBeInstanceOf(ProxyError);
    expect(await read(client(proxy.host, { tls: { skipVerify: true } }), 'https://registry.test/')).toBe(
      'ok',
    );
    expect(origin.requests).toHaveLength(1);
  });

  it('trusts what the machine trusts', async () => {
    const origin = await startTlsHost(served);
    const proxy = await startWebProxy({ hosts: { 'registry.test:443': origin.host } });
    const http = client(proxy.host, { tls: { systemCaFiles: caFiles() } });
    expect(await read(http, 'https://registry.test/')).toBe('ok');
  });

  it('goes to a proxy that speaks TLS itself', async () => {
    const origin = await startTlsHost(served);
    const tls = authority.issue({ names: ['127.0.0.1'] });
    const proxy = await startWebProxy({ hosts: { 'registry.test:443': origin.host }, tls });
    expect(await read(client(`https://${proxy.host}`), 'https://registry.test/')).toBe('ok');
    const stranger = client(`https://${proxy.host}`, { tls: {} });
    const error = await errorOf(read(stranger, 'https://registry.test/'));
    expect(error).toMatchObject({ problem: 'unreachable', message: expect.stringContaining(proxy.host) });
  });
});

describe('http through a proxy', () => {
  it('hands the proxy the whole URL, and the host its name', async () => {
    const origin = await startPlain();
    const proxy = await startWebProxy({ hosts: { 'registry.test:5000': origin.host } });
    const http = client(`http://${proxy.host}`);
    expect(await read(http, 'http://registry.test:5000/a?b=c')).toBe('hello registry.test:5000');
    expect(proxy.lines()).toEqual(['GET http://registry.test:5000/a?b=c']);
    expect(origin.requests).toMatchObject([{ path: '/a?b=c' }]);
    expect(origin.requests[0]?.headers).not.toHaveProperty('proxy-authorization');
  });

  it('goes to a proxy that speaks TLS itself', async () => {
    const origin = await startPlain();
    const tls = authority.issue({ names: ['127.0.0.1'] });
    const proxy = await startWebProxy({ hosts: { 'registry.test:80': origin.host }, tls });
    expect(await read(client(`https://${proxy.host}`), 'http://registry.test/')).toBe('hello registry.test');
  });
});

describe('a proxy that asks for credentials', () => {
  const credentials = 'user:p@ss:word%';
  const encoded = 'user:p%40ss%3Aword%25';

  it('gets them, with each tunnel and each forwarded request, and the registry does not', async () => {
    const [secure, plain] = [await startTlsHost(served), await startPlain()];
    const hosts = { 'registry.test:443': secure.host, 'registry.test:80': plain.host };
    const proxy = await startWebProxy({ hosts, credentials });
    const http = client(`http://${encoded}@${proxy.host}`);
    expect(await read(http, 'https://registry.test/')).toBe('ok');
    expect(await read(http, 'http://registry.test/')).toBe('hello registry.test');
    expect(proxy.requests.map(({ status }) => status)).toEqual([0, 0]);
    for (const { headers } of [...secure.requests, ...plain.requests]) {
      expect(headers).not.toHaveProperty('proxy-authorization');
    }
  });

  it.each(['https://registry.test/', 'http://registry.test/'])(
    'says so when it gets none or wrong ones, and shows none: %s',
    async (url) => {
      const proxy = await startWebProxy({ hosts: {}, credentials });
      const without = await errorOf(read(client(`http://${proxy.host}`), url));
      expect(without).toMatchObject({ problem: 'credentials', status: 407 });
      expect(String(without)).toContain(`the proxy ${proxy.host} asks for credentials`);
      const wrong = await errorOf(read(client(`http://user:topsecret@${proxy.host}`), url));
      expect(wrong).toMatchObject({ problem: 'credentials' });
      expect(`${wrong} ${wrong instanceof Error ? wrong.stack : ''}`).not.toContain('topsecret');
    },
  );
});

describe('a proxy that does not do what it should', () => {
  it.each([
    ['cannot reach the host', {}, 502],
    ['does not allow the host', { connectStatus: 403 }, 403],
  ])('is named with its status when it %s', async (_, options, status) => {
    const proxy = await startWebProxy({ hosts: {}, ...options });
    const error = await errorOf(read(client(proxy.host), 'https://registry.test/'));
    expect(error).toMatchObject({ problem: 'refused', status, from: 'HTTPS_PROXY' });
  });

  it.each(['https://registry.test/', 'http://registry.test/'])(
    'is named when nobody listens there: %s',
    async (url) => {
      const error = await errorOf(read(client('http://127.0.0.1:1'), url));
      expect(error).toMatchObject({ problem: 'unreachable' });
      expect(String(error)).toContain('the proxy 127.0.0.1:1 cannot be used: connection refused');
    },
  );

  it('is named when it speaks something else', async () => {
    const net = await import('node:net');
    const server = net.createServer((socket) => {
      socket.on('error', () => {});
      socket.end('SSH-2.0-OpenSSH_9.2\r\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onCleanup(() => void server.close());
    const { port } = server.address() as AddressInfo;
    for (const url of ['https://registry.test/', 'http://registry.test/']) {
      const error = await errorOf(read(client(`127.0.0.1:${port}`), url));
      expect(error).toMatchObject({ problem: 'unreachable' });
    }
  });

  it('does not keep a closed client waiting', async () => {
    const silent = (await import('node:net')).createServer((socket) => void socket.on('error', () => {}));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    onCleanup(() => void silent.close());
    const { port } = silent.address() as AddressInfo;
    const http = client(`127.0.0.1:${port}`);
    const connected = new Promise((resolve) => silent.once('connection', resolve));
    const waiting = errorOf(read(http, 'https://registry.test/'));
    await connected;
    await http.close();
    expect(await waiting).toBeInstanceOf(Error);
  });
});

describe('what goes through no proxy', () => {
  it('is this machine, and what NO_PROXY names', async () => {
    const [origin, plain] = [
      await startTlsHost(authority.issue({ names: ['127.0.0.1'] })),
      await startPlain(),
    ];
    const http = client('http://127.0.0.1:1');
    expect(await read(http, origin.url.href)).toBe('ok');
    expect(await read(http, `http://localhost:${plain.host.split(':')[1]}/`)).toContain('hello localhost');
  });
});

describe('what a server may send us to, through a proxy', () => {
  const redirecting = async (location: string) => {
    const origin = await startTlsHost(served, () => ({ status: 307, headers: { location } }));
    const proxy = await startWebProxy({ hosts: { 'registry.test:443': origin.host } });
    const url = new URL('https://registry.test/');
    const sending = sendFollowing(client(proxy.host), { method: 'GET', url });
    return { error: await errorOf(sending), lines: proxy.lines() };
  };

  it.each([
    'https://169.254.169.254/latest',
    'https://[fe80::1]/',
    'https://2852039166/',
    'http://other.test/',
    'ftp://other.test/',
    'file:///etc/passwd',
  ])('is not %s', async (location) => {
    const { error, lines } = await redirecting(location);
    expect(error).toMatchObject({ code: 'registry_protocol' });
    expect(lines).toEqual(['CONNECT registry.test:443']);
  });

  it('is no link-local address, where the user may well go to one', async () => {
    const origin = await startPlain();
    const proxy = await startWebProxy({ hosts: { '169.254.1.1:80': origin.host } });
    const http = client(proxy.host);
    const url = new URL('http://169.254.1.1/');
    expect(await errorOf(http.send({ method: 'GET', url, isForeign: true }))).toMatchObject({
      code: 'registry_protocol',
    });
    expect(proxy.lines()).toEqual([]);
    expect(await read(http, url.href)).toBe('hello 169.254.1.1');
  });

  it('is another host, which gets no credentials', async () => {
    const other = await startTlsHost(served);
    const first = await startTlsHost(served, () => ({
      status: 307,
      headers: { location: 'https://other.test/b' },
    }));
    const hosts = { 'registry.test:443': first.host, 'other.test:443': other.host };
    const proxy = await startWebProxy({ hosts });
    const headers = { authorization: 'Bearer secret' };
    const url = new URL('https://registry.test/a');
    const response = await sendFollowing(client(proxy.host), { method: 'GET', url, headers });
    await response.discard();
    expect(response.status).toBe(200);
    expect(other.requests).toHaveLength(1);
    expect(other.requests[0]?.headers).not.toHaveProperty('authorization');
    expect(proxy.requests.some(({ headers: sent }) => 'authorization' in sent)).toBe(false);
  });
});
