import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readEntry, writeEntry } from '../../../src/registry/credentials/entry.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const password = (username: string, text: string) => ({
  kind: 'password',
  username,
  password: text,
  from: 'here',
});

describe('an entry', () => {
  it.each([
    ['auth', { auth: base64('bob:hunter2') }, password('bob', 'hunter2')],
    ['a password with colons', { auth: base64('bob:a:b:') }, password('bob', 'a:b:')],
    ['other letters', { auth: base64('bób:pässwörd') }, password('bób', 'pässwörd')],
    ['zeros behind the password', { auth: base64('bob:x\0\0') }, password('bob', 'x')],
    ['a line end', { auth: `${base64('bob:hunter2')}\n` }, password('bob', 'hunter2')],
    ['two fields', { username: 'bob', password: 'hunter2' }, password('bob', 'hunter2')],
    ['auth and two fields', { auth: base64('bob:1'), username: 'x', password: '2' }, password('bob', '1')],
    [
      'an identity token',
      { auth: base64('bob:'), identitytoken: 'refresh' },
      { kind: 'identity', username: 'bob', token: 'refresh', from: 'here' },
    ],
    [
      'a registry token beside others',
      { registrytoken: 'bearer', identitytoken: 'refresh' },
      { kind: 'registry', token: 'bearer', from: 'here' },
    ],
    ['nothing, as beside a helper', {}, undefined],
    ['an email only', { email: 'bob@example.org', auth: '' }, undefined],
    ['nulls', { auth: null, identitytoken: null }, undefined],
  ])('with %s is read', (_, value, expected) => {
    expect(readEntry(value, 'here')).toEqual(expected);
  });

  it.each([
    ['a number', 5],
    ['null', null],
    ['auth that is no base64', { auth: 'b@b' }],
    ['auth without a colon', { auth: base64('bob') }],
    ['auth that is no text', { auth: 7 }],
    ['a registry token that would add a header', { registrytoken: 'a\r\nx: y' }],
  ])('that is or has %s is damaged', (_, value) => {
    expect(readEntry(value, 'here')).toBe('damaged');
  });

  it('that was written is read as it was', () => {
    const name = fc.string({ minLength: 1, unit: 'grapheme' }).filter((text) => !text.includes(':'));
    const secret = fc.string({ minLength: 1, unit: 'grapheme' }).filter((text) => !text.endsWith('\0'));
    fc.assert(
      fc.property(name, secret, (username, text) => {
        const credential = { kind: 'password', username, password: text, from: 'here' } as const;
        expect(readEntry(writeEntry(credential), 'here')).toEqual(credential);
        const token = { kind: 'identity', username, token: text, from: 'here' } as const;
        expect(readEntry(writeEntry(token), 'here')).toEqual(token);
      }),
      { numRuns: 200 },
    );
  });
});
