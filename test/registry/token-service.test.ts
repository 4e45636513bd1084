import { describe, expect, it } from 'vitest';
import { createTokens, type TokensOptions } from '../../src/registry/auth.ts';
import type { Credential } from '../../src/registry/credentials/credentials.ts';
import { type Endpoint, endpointOf } from '../../src/registry/endpoint.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { authorizationOf, bob, bobsBasic, createScript, identity, knowing, type Reply } from './scripted.ts';
import { errorOf } from './support.ts';

const scope = { endpoint: endpointOf('docker.io', false), repository: 'library/app' };
const service = { realm: 'https://auth.docker.io/token', service: 'registry.docker.io' };
const { signal } = new AbortController();

type Answer = Parameters<typeof createScript>[0];

function createRig(credential: Credential | (() => Credential), answer: Answer) {
  const { sent, transport } = createScript(answer);
  const { asked, credentials } = knowing('docker.io', () =>
    typeof credential === 'function' ? credential() : credential,
  );
  const clock = createFakeClock();
  const options: TokensOptions = { transport, clock, credentials, closed: signal };
  const tokens = createTokens(options);
  const renew = (used?: string, of = scope) => tokens.renew(of, service, used, signal);
  return { sent, asked, clock, tokens, renew };
}

const formOf = (body: string | undefined) => Object.fromEntries(new URLSearchParams(body));
const numbered = (_: unknown, count: number): Reply => ({
  body: { token: `token-${count}`, expires_in: 300 },
});

describe('a password', () => {
  it('gets a token, which names where the password came from', async () => {
    const { sent, renew } = createRig(bob, numbered);
    expect(await renew()).toEqual({ value: 'token-1', from: 'the test' });
    expect(authorizationOf(sent[0])).toBe(bobsBasic);
    expect(sent[0]?.url.searchParams.get('account')).toBe('bob');
  });

  it('is looked for again with each new token, for it may have changed', async () => {
    const found = [bob, { ...bob, password: 'other' }];
    const { sent, asked, clock, tokens, renew } = createRig(() => found.shift() ?? bob, numbered);
    await renew();
    await clock.advance(299_000);
    expect((await tokens.current(scope, signal))?.value).toBe('token-1');
    await clock.advance(2_000);
    expect((await tokens.current(scope, signal))?.value).toBe('token-2');
    expect(asked).toEqual(['docker.io/library/app', 'docker.io/library/app']);
    expect(authorizationOf(sent[1])).not.toBe(bobsBasic);
  });

  it('is looked for once by callers at the same time', async () => {
    const { sent, asked, renew } = createRig(bob, numbered);
    await Promise.all([renew(), renew(), renew()]);
    expect([asked.length, sent.length]).toEqual([1, 1]);
  });

  it('does not follow a redirect of the token service to another host', async () => {
    const { sent, renew } = createRig(bob, (_, count) =>
      count === 1
        ? { status: 307, headers: { location: 'https://evil.example/' } }
        : { body: { token: 't' } },
    );
    await renew();
    expect(sent[1]?.url.host).toBe('evil.example');
    expect(authorizationOf(sent[1])).toBeUndefined();
  });

  it.each([
    ['http://auth.docker.io/token', 'is not https'],
    ['http://evil.example/', 'is not https'],
    ['https://169.254.169.254/token', 'link-local'],
    ['file:///etc/passwd', 'neither http nor https'],
    ['https://eve:pass@auth.docker.io/', 'credentials'],
  ])('of an https registry goes nowhere when its token service is %s', async (realm, problem) => {
    const { sent, tokens } = createRig(bob, numbered);
    const error = await errorOf(tokens.renew(scope, { ...service, realm }, undefined, signal));
    expect(error).toMatchObject({ code: 'registry_protocol', message: expect.stringContaining(problem) });
    expect(sent).toEqual([]);
  });

  it('that is refused is not in the error, which says where it came from', async () => {
    const body = { errors: [{ code: 'UNAUTHORIZED', message: `no ${bobsBasic} here` }] };
    const { renew } = createRig(bob, () => ({ status: 401, body }));
    const error = await errorOf(renew());
    expect(error).toMatchObject({ code: 'access_denied', hint: expect.stringContaining('from the test') });
    expect(error).toMatchObject({ hint: expect.stringContaining('layerpull login') });
    expect(JSON.stringify(error) + String(error)).not.toMatch(/hunter2|Ym9iOmh1bnRlcjI=/);
  });

  it('kept for a registry is not shown for another host that answers in its place', async () => {
    const { sent, asked, renew } = createRig(bob, numbered);
    const endpoint: Endpoint = { registry: 'docker.io', base: new URL('https://mirror.example:5000/') };
    expect(await renew(undefined, { ...scope, endpoint })).toEqual({ value: 'token-1' });
    expect(asked).toEqual(['mirror.example:5000/library/app']);
    expect(authorizationOf(sent[0])).toBeUndefined();
  });
});

describe('an identity token', () => {
  it('is posted in a form, to the realm as it stands', async () => {
    const { sent, renew } = createRig(identity, () => ({ body: { access_token: 'token-1' } }));
    expect(await renew()).toEqual({ value: 'token-1', from: 'the test' });
    const [request] = sent;
    expect(request).toMatchObject({ method: 'POST', url: new URL(service.realm) });
    expect(authorizationOf(request)).toBeUndefined();
    expect(formOf(request?.body)).toEqual({
      grant_type: 'refresh_token',
      client_id: 'layerpull',
      refresh_token: 'refresh-1',
      service: 'registry.docker.io',
      scope: 'repository:library/app:pull',
    });
  });

  it('that the service replaces is used no more', async () => {
    const { sent, renew } = createRig(identity, (_, count) => ({
      body: { access_token: `token-${count}`, refresh_token: `refresh-${count + 1}` },
    }));
    for (const used of [undefined, 'token-1', 'token-2']) await renew(used);
    const shown = sent.map(({ body }) => formOf(body)['refresh_token']);
    expect(shown).toEqual(['refresh-1', 'refresh-2', 'refresh-3']);
  });

  it.each([404, 405])('is shown by GET to a service that answers POST with %i', async (status) => {
    const { sent, renew } = createRig({ ...identity, username: 'bob' }, ({ method }) =>
      method === 'POST' ? { status } : { body: { token: 'token-2' } },
    );
    expect((await renew()).value).toBe('token-2');
    expect(sent.map(({ method }) => method)).toEqual(['POST', 'GET']);
    expect(authorizationOf(sent[1])).toBe(`Basic ${Buffer.from('bob:refresh-1').toString('base64')}`);
  });

  it.each([301, 302, 303, 307, 308])('follows no redirect (%i)', async (status) => {
    const location = 'https://evil.example/';
    const { sent, renew } = createRig(identity, () => ({ status, headers: { location } }));
    expect(await errorOf(renew())).toMatchObject({ code: 'registry_protocol' });
    expect(sent).toHaveLength(1);
  });

  it.each([
    [400, { error: 'invalid_grant' }],
    [401, { errors: [{ code: 'UNAUTHORIZED' }] }],
  ])('that is refused with %i denies access', async (status, body) => {
    const { renew } = createRig(identity, () => ({ status, body }));
    const error = await errorOf(renew());
    expect(error).toMatchObject({ code: 'access_denied', hint: expect.stringContaining('from the test') });
    expect(JSON.stringify(error) + String(error)).not.toContain('refresh-1');
  });
});

describe('a registry token', () => {
  it('is shown as it stands, without asking the token service', async () => {
    const { sent, clock, tokens, renew } = createRig(
      { kind: 'registry', token: 'fixed', from: 'the test' },
      numbered,
    );
    expect(await renew()).toEqual({ value: 'fixed', from: 'the test' });
    await clock.advance(86_400_000);
    expect((await tokens.current(scope, signal))?.value).toBe('fixed');
    expect(sent).toEqual([]);
  });
});
