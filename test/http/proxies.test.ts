import { describe, expect, it } from 'vitest';
import { createProxyChoice } from '../../src/http/proxies.ts';
import { errorOf } from '../support/config.ts';

const https = new URL('https://registry.example/');
const http = new URL('http://registry.example/');
const named = (text: string, from = 'HTTPS_PROXY') => ({ text, from });
const choose = (text: string) => createProxyChoice({ https: named(text) })?.(https);

describe('the choice of a proxy', () => {
  it('is none without variables', () => {
    expect(createProxyChoice({ noProxy: 'example.com' })).toBeUndefined();
  });

  it('goes by the scheme of the registry', () => {
    const both = createProxyChoice({ http: named('one:1', 'HTTP_PROXY'), https: named('two:2') });
    expect(both?.(http)?.url.href).toBe('http://one:1/');
    expect(both?.(https)?.url.href).toBe('http://two:2/');
    expect(createProxyChoice({ https: named('two:2') })?.(http)).toBeUndefined();
  });

  it('leaves out what NO_PROXY names', () => {
    const choice = createProxyChoice({ https: named('two:2'), noProxy: '.example' });
    expect(choice?.(https)).toBeUndefined();
    expect(choice?.(new URL('https://registry.test/'))?.url.href).toBe('http://two:2/');
  });

  it.each([
    ['proxy.example:3128', 'http://proxy.example:3128/'],
    ['http://proxy.example', 'http://proxy.example/'],
    ['https://proxy.example:8443/', 'https://proxy.example:8443/'],
    ['http://[fd00::1]:3128', 'http://[fd00::1]:3128/'],
  ])('reads %s', (text, expected) => {
    expect(choose(text)).toMatchObject({ url: new URL(expected), authorization: undefined });
  });

  it.each([
    ['http://user:pass@proxy.example:3128', 'user:pass'],
    ['user:pass@proxy.example:3128', 'user:pass'],
    ['http://user@proxy.example', 'user:'],
    ['http://a%40b:p%3Ass%2F@proxy.example', 'a@b:p:ss/'],
    ['http://user:100%@proxy.example', 'user:100%'],
  ])('takes the credentials out of %s', (text, credentials) => {
    const proxy = choose(text);
    expect(proxy?.authorization).toBe(`Basic ${Buffer.from(credentials).toString('base64')}`);
    expect(proxy?.url.href).not.toContain('@');
  });

  it.each(['http://user:secret@', 'http://user:secret@a b', 'socks5://user:secret@proxy.example:1080', '::'])(
    'says that "%s" cannot be used, without showing it',
    (text) => {
      const error = errorOf(() => choose(text));
      expect(error).toMatchObject({ code: 'usage', message: expect.stringMatching(/^HTTPS_PROXY /) });
      expect(`${error.message} ${error.hint} ${error.stack}`).not.toMatch(/secret|user:/);
    },
  );

  it('says nothing about a proxy that is not used', () => {
    const choice = createProxyChoice({ http: named('::', 'HTTP_PROXY'), https: named('two:2') });
    expect(choice?.(https)?.from).toBe('HTTPS_PROXY');
    expect(choice?.(new URL('http://127.0.0.1/'))).toBeUndefined();
  });
});
