import { describe, expect, it } from 'vitest';
import { endpointOf } from '../../src/registry/endpoint.ts';
import { checkLogin } from '../../src/registry/login.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { authorizationOf, bob, bobsBasic, createScript } from './scripted.ts';
import { errorOf } from './support.ts';

const endpoint = endpointOf('registry.example', false);
const { signal } = new AbortController();
const challenge = (value: string) => ({ status: 401, headers: { 'www-authenticate': value } });
const bearer = challenge('Bearer realm="https://auth.example/token",service="s"');

function check(answer: Parameters<typeof createScript>[0], at = endpoint) {
  const { sent, transport } = createScript(answer);
  const clock = createFakeClock();
  return { sent, clock, proven: checkLogin({ transport, clock }, at, bob, signal) };
}

describe('a sign-in', () => {
  it('shows the password only after the registry asked for it', async () => {
    const { sent, proven } = check((_, count) => (count === 1 ? challenge('Basic realm="x"') : {}));
    expect(await proven).toEqual(bob);
    expect(sent.map(({ url }) => url.href)).toEqual(Array(2).fill('https://registry.example/v2/'));
    expect(sent.map(authorizationOf)).toEqual([undefined, bobsBasic]);
  });

  it('is good at a registry that asks nobody', async () => {
    const { sent, proven } = check(() => ({}));
    expect(await proven).toEqual(bob);
    expect(sent).toHaveLength(1);
  });

  it('asks the token service for an identity token, and shows the token to the registry', async () => {
    const { sent, proven } = check(({ url }, count) => {
      if (url.host === 'auth.example') return { body: { token: 'token-1', refresh_token: 'refresh-1' } };
      return count === 1 ? bearer : {};
    });
    expect(await proven).toEqual({ kind: 'identity', username: 'bob', token: 'refresh-1', from: 'the test' });
    expect(sent.map(authorizationOf)).toEqual([undefined, bobsBasic, 'Bearer token-1']);
    expect(Object.fromEntries(sent[1]?.url.searchParams ?? [])).toEqual({
      service: 's',
      account: 'bob',
      offline_token: 'true',
      client_id: 'layerpull',
    });
  });

  it.each([
    ['the registry refuses', challenge('Basic realm="x"'), 'access_denied'],
    ['the token service refuses', bearer, 'access_denied'],
    ['is asked for in an unknown way', challenge('Negotiate'), 'access_denied'],
    ['no registry answers', { status: 404 }, 'registry_protocol'],
    ['the registry fails', { status: 500 }, 'registry_failed'],
    ['leads to a strange place', challenge('Bearer realm="http://evil.example/"'), 'registry_protocol'],
  ])('that %s fails, and its error has no secret', async (_, reply, code) => {
    const error = await errorOf(check(() => reply).proven);
    expect(error).toMatchObject({ code });
    expect(JSON.stringify(error) + String(error)).not.toMatch(/hunter2|Ym9iOmh1bnRlcjI=/);
  });

  it('shows nothing to a host that the registry redirects to', async () => {
    const { sent, proven } = check(({ url }) => {
      if (url.host === 'evil.example') return bearer;
      return { status: 307, headers: { location: 'https://evil.example/v2/' } };
    });
    expect(await errorOf(proven)).toMatchObject({ code: 'access_denied' });
    expect(sent.map(authorizationOf)).toEqual([undefined, undefined]);
  });

  it('is given up after a minute', async () => {
    const clock = createFakeClock();
    const transport = { send: () => new Promise<never>(() => {}) };
    const error = errorOf(checkLogin({ transport, clock }, endpoint, bob, signal));
    await clock.advance(60_000);
    expect(await error).toMatchObject({
      code: 'registry_unreachable',
      message: expect.stringContaining('60 s'),
    });
    expect(clock.pending()).toBe(0);
  });
});
