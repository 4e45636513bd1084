import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findTokenService, parseChallenges } from '../../src/registry/challenge.ts';

describe('challenges of WWW-Authenticate', () => {
  it('have a scheme and parameters', () => {
    const header =
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="a:b:pull,push"';
    expect(findTokenService(header)).toEqual({
      realm: 'https://auth.docker.io/token',
      service: 'registry.docker.io',
    });
    expect(parseChallenges(header)[0]?.parameters.get('scope')).toBe('a:b:pull,push');
  });

  it('may stand several in one header, with the one for tokens anywhere', () => {
    const header = 'Negotiate abc==, Basic realm="x, Bearer", BEARER Realm=https, Bearer realm="https://t/"';
    expect(parseChallenges(header).map(({ scheme }) => scheme)).toEqual([
      'negotiate',
      'basic',
      'bearer',
      'bearer',
    ]);
    expect(findTokenService(header)?.realm).toBe('https');
  });

  it('may have escapes, blanks around the sign, and no quotes', () => {
    expect(findTokenService('Bearer  realm = "a\\"b" , service=reg')).toEqual({
      realm: 'a"b',
      service: 'reg',
    });
  });

  it('count the first of a repeated parameter', () => {
    expect(findTokenService('Bearer realm="one",realm="two"')?.realm).toBe('one');
  });

  it.each([
    undefined,
    '',
    'Basic realm="x"',
    'Bearer',
    'Bearer service="x"',
    'Bearer realm=""',
    'realm="x"',
    'Bearer realm="open',
    ',,,=',
  ])('name no token service in %j', (header) => {
    expect(findTokenService(header)).toBeUndefined();
  });

  it('are read from any text without an error', () => {
    const unit = fc.constantFrom(...'Bearer realm="\\,=; \t\n', '__proto__', '\u0000', 'é');
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit, maxLength: 200 }), fc.string({ unit: 'binary' })), (text) => {
        for (const { scheme } of parseChallenges(text)) expect(scheme).not.toBe('');
      }),
      { numRuns: 1_000 },
    );
  });

  it('come from the first 8 KiB of a header only', () => {
    expect(parseChallenges(`${','.repeat(8_192)}Bearer realm="x"`)).toEqual([]);
  });
});
