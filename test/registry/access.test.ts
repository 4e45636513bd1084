import { describe, expect, it } from 'vitest';
import type { HttpRequest } from '../../src/http/client.ts';
import { createAccess } from '../../src/registry/access.ts';
import { createTokens, credentialName } from '../../src/registry/auth.ts';
import { createPasswords } from '../../src/registry/basic.ts';
import type { Credential } from '../../src/registry/credentials/credentials.ts';
import { endpointOf } from '../../src/registry/endpoint.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { authorizationOf, bob, bobsBasic, createScript, identity, knowing, type Reply } from './scripted.ts';

const endpoint = endpointOf('registry.example', false);
const scope = { endpoint, repository: 'team/app' };
const { signal } = new AbortController();
const basic: Reply = { status: 401, headers: { 'www-authenticate': 'Basic realm="here"' } };

function createRig(found: () => Credential | undefined, answer: (request: HttpRequest) => Reply) {
  const { sent, transport } = createScript(answer);
  const { asked, credentials } = knowing('registry.example', found);
  const tokens = createTokens({ transport, clock: createFakeClock(), credentials, closed: signal });
  const access = createAccess(transport, tokens, createPasswords(credentials, signal));
  const get = (path = '/v2/team/app/manifests/latest', of = scope) =>
    access.get(of, { url: new URL(path, of.endpoint.base), signal });
  return { sent, asked, get };
}

/** Lets in who shows bob's password. */
const forBob = (request: HttpRequest) => (authorizationOf(request) === bobsBasic ? {} : basic);

describe('a registry that asks for a password', () => {
  it('gets it once it asked, and from then on without asking', async () => {
    const { sent, asked, get } = createRig(() => bob, forBob);
    expect((await get()).status).toBe(200);
    expect((await get()).status).toBe(200);
    expect(sent.map(authorizationOf)).toEqual([undefined, bobsBasic, bobsBasic]);
    expect(asked).toEqual(['registry.example/team/app']);
  });

  it('gets it for each repository by itself, for they may have passwords of their own', async () => {
    const { asked, get } = createRig(() => bob, forBob);
    await get();
    await get('/v2/other/manifests/latest', { endpoint, repository: 'other' });
    expect(asked).toEqual(['registry.example/team/app', 'registry.example/other']);
  });

  it('is looked up once by readers at the same time', async () => {
    const { asked, get } = createRig(() => bob, forBob);
    const responses = await Promise.all([get(), get(), get()]);
    expect(responses.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(asked).toHaveLength(1);
  });

  it('that refuses it is not shown it twice, and the answer says whose it was', async () => {
    const { sent, get } = createRig(
      () => bob,
      () => basic,
    );
    const account = { registry: 'registry.example', from: 'the test' };
    expect(await get()).toMatchObject({ status: 401, account });
    expect(await get()).toMatchObject({ status: 401, account });
    expect(sent.map(authorizationOf)).toEqual([undefined, bobsBasic, bobsBasic]);
  });

  it('gets the new one when the old one was changed meanwhile', async () => {
    const found = [{ ...bob, password: 'old' }, bob];
    const { get } = createRig(() => found.shift(), forBob);
    expect((await get()).status).toBe(401);
    expect((await get()).status).toBe(200);
  });

  it.each([
    ['nobody knows one', undefined],
    ['there is only an identity token', identity],
  ])('denies access when %s', async (_, credential) => {
    const { sent, get } = createRig(() => credential, forBob);
    expect(await get()).toMatchObject({ status: 401, account: { registry: 'registry.example' } });
    expect(sent.map(authorizationOf)).toEqual([undefined]);
  });

  it('does not get that of another registry', async () => {
    const { sent, get } = createRig(() => bob, forBob);
    const other = { endpoint: endpointOf('evil.example', false), repository: 'team/app' };
    expect((await get(undefined, other)).status).toBe(401);
    expect(sent.map(authorizationOf)).toEqual([undefined]);
  });
});

it.each([
  ['docker.io', false],
  ['r.example:443', false],
  ['r.example:80', true],
  ['R.Example:5000', false],
  ['127.0.0.1:5000', false],
  ['[::1]:443', true],
])('%s is looked for as it is written (plain http: %s)', (registry, plainHttp) => {
  expect(credentialName(endpointOf(registry, plainHttp))).toBe(registry);
  const mirror = { registry, base: new URL('https://mirror.example:5000/') };
  expect(credentialName(mirror)).toBe('mirror.example:5000');
});

it('a host that the registry redirects to gets no password, though it asks for one', async () => {
  const { sent, get } = createRig(
    () => bob,
    ({ url, ...request }) => {
      if (url.host === 'storage.example') return basic;
      if (authorizationOf({ url, ...request }) !== bobsBasic) return basic;
      return { status: 307, headers: { location: 'https://storage.example/blob' } };
    },
  );
  const response = await get();
  expect([response.status, response.url.host, response.account]).toEqual([401, 'storage.example', undefined]);
  expect(sent.map((request) => [request.url.host, authorizationOf(request)])).toEqual([
    ['registry.example', undefined],
    ['registry.example', bobsBasic],
    ['storage.example', undefined],
  ]);
});

it('a registry that takes tokens and passwords gets a token', async () => {
  const offers = `Basic realm="here", Bearer realm="https://auth.example/token",service="s"`;
  const { sent, get } = createRig(
    () => bob,
    (request) => {
      if (request.url.host === 'auth.example') return { body: { token: 'token-1' } };
      const good = authorizationOf(request) === 'Bearer token-1';
      return good ? {} : { status: 401, headers: { 'www-authenticate': offers } };
    },
  );
  expect((await get()).status).toBe(200);
  expect(sent.map(({ url }) => url.host)).toEqual(['registry.example', 'auth.example', 'registry.example']);
});

it('a HEAD asks for access as a GET does', async () => {
  const { transport, sent } = createScript(forBob);
  const { credentials } = knowing('registry.example', () => bob);
  const tokens = createTokens({ transport, clock: createFakeClock(), credentials, closed: signal });
  const access = createAccess(transport, tokens, createPasswords(credentials, signal));
  const url = new URL('/v2/team/app/manifests/latest', endpoint.base);
  expect((await access.get(scope, { method: 'HEAD', url, signal })).status).toBe(200);
  expect(sent.map(({ method }) => method)).toEqual(['HEAD', 'HEAD']);
});
