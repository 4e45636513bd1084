import { describe, expect, it } from 'vitest';
import { isLinkLocal, isLoopback } from '../../src/http/addresses.ts';

const hostOf = (authority: string) => new URL(`http://${authority}/`).hostname;

describe('this machine', () => {
  it.each([
    'localhost',
    'LOCALHOST:5000',
    'a.localhost',
    '127.0.0.1:5000',
    '127.9.9.9',
    '[::1]:80',
    '0x7f.1',
    '[::ffff:127.0.0.1]',
  ])('is %s', (authority) => expect(isLoopback(hostOf(authority))).toBe(true));

  it.each([
    '127.0.0.1.example.com',
    '128.0.0.1',
    '[::2]',
    'localhost.example.com',
    'notlocalhost',
    '10.0.0.1',
  ])('is not %s', (authority) => expect(isLoopback(hostOf(authority))).toBe(false));
});

describe('a link-local address', () => {
  it.each([
    '169.254.169.254',
    '169.254.0.1:80',
    '[fe80::1]',
    '[febf::1]',
    '[::ffff:169.254.169.254]',
    '0xa9fea9fe',
    '2852039166',
  ])('is %s', (authority) => expect(isLinkLocal(hostOf(authority))).toBe(true));

  it.each(['169.253.0.1', '[fec0::1]', '[fe00::1]', 'fe80.example.com', '169.254.169.254.example.com'])(
    'is not %s',
    (authority) => expect(isLinkLocal(hostOf(authority))).toBe(false),
  );
});
