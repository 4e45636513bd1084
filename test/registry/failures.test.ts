import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createHttpClient } from '../../src/http/client.ts';
import { oneLine, statusError, unreachable } from '../../src/registry/failures.ts';
import { errorOf } from './support.ts';

const url = new URL('https://registry.example/v2/app/manifests/latest?secret=1');

function withCode(code: string): Error {
  return Object.assign(new Error('text of node'), { code });
}

function answer(status: number, body: string, contentType = 'application/json') {
  const bytes = async function* () {
    yield Buffer.from(body);
  };
  return { status, headers: { 'content-type': contentType }, body: bytes() };
}

describe('a registry that cannot be reached', () => {
  it.each([
    ['ECONNREFUSED', 'connection refused', true],
    ['ENOTFOUND', 'host not found', true],
    ['UND_ERR_CONNECT_TIMEOUT', 'no connection in time', true],
    ['UND_ERR_HEADERS_TIMEOUT', 'no reply in time', true],
    ['CERT_HAS_EXPIRED', 'text of node', false],
  ])('is named with its host, and the reason for %s', (code, reason, retryable) => {
    const error = unreachable(url, withCode(code));
    expect(error).toMatchObject({ code: 'registry_unreachable', retryable });
    expect(error.message).toBe(`cannot reach registry.example: ${reason}`);
  });

  it('gets the hint to trust a certificate', () => {
    expect(unreachable(url, withCode('SELF_SIGNED_CERT_IN_CHAIN')).hint).toContain('--ca-cert FILE');
  });

  it('gets the hint for plain http when it speaks no TLS', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const plain = new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}/v2/`);
    const http = createHttpClient({ userAgent: 'test' });
    const error = await errorOf(http.send({ method: 'GET', url: plain }));
    await http.close();
    server.close();
    expect(unreachable(plain, error)).toMatchObject({ hint: expect.stringContaining('--plain-http') });
  });
});

describe('a status that is no success', () => {
  const subject = { kind: 'manifest', name: 'registry.example/app:latest' } as const;

  it('comes with what the registry says', async () => {
    const body = JSON.stringify({ errors: [{ code: 'MANIFEST_UNKNOWN', message: 'no such thing' }] });
    const error = await statusError(subject, url, answer(404, body));
    expect(error.message).toBe(
      'registry.example/app:latest was not found at registry.example: no such thing',
    );
  });

  it.each(['', '{', '{"errors":[]}', '{"errors":[{"code":7}]}', '[]', 'x'.repeat(1_000_000)])(
    'needs no proper body',
    async (body) => {
      const error = await statusError(subject, url, answer(404, body));
      expect(error.message).toBe('registry.example/app:latest was not found at registry.example');
    },
  );

  it('says for Docker Hub that unknown repositories look so, too', async () => {
    const hub = new URL('https://registry-1.docker.io/v2/');
    expect((await statusError(subject, hub, answer(401, ''))).hint).toContain('does not exist');
  });

  it.each([
    ['Client sent an HTTP request to an HTTPS server.\n', 'text/plain'],
    ['<center>The plain HTTP request was sent to HTTPS port</center>', 'text/html'],
  ])('gets the hint for https when plain http was spoken to it: %s', async (body, type) => {
    const plain = new URL('http://registry.example/v2/');
    expect((await statusError(subject, plain, answer(400, body, type))).hint).toContain(
      'leave out --plain-http',
    );
    const local = new URL('http://127.0.0.1:5000/v2/');
    expect((await statusError(subject, local, answer(400, body, type))).hint).toContain('use --ca-cert');
  });

  it.each(['No required SSL certificate was sent', 'The SSL certificate error'])(
    'gets the hint for a certificate of the client: %s',
    async (title) => {
      const reply = answer(400, `<title>400 ${title}</title>`, 'text/html');
      expect(await statusError(subject, url, reply)).toMatchObject({
        code: 'registry_protocol',
        hint: expect.stringContaining('NAME.cert and NAME.key into registry.example/'),
      });
    },
  );
});

it('puts foreign text on one line', () => {
  expect(oneLine(' a\n\tb\u0000\u001b[2Jc\u2028d\u202ee ')).toBe('a b [2Jc d e');
  expect(oneLine('x'.repeat(1_000))).toHaveLength(201);
  expect(oneLine('sent Authorization: Basic dXNlcjpwYXNz')).not.toContain('dXNl');
});
