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
    '[64:ff9b::169.254.169.254]',
    '[64:ff9b:1::a9fe:a9fe]',
    '[::ffff:0:169.254.169.254]',
    '[::169.254.169.254]',
    '[2002:a9fe:a9fe::1]',
  ])('is %s', (authority) => expect(isLinkLocal(hostOf(authority))).toBe(true));

  it.each(['64:ff9b::169.254.169.254', '::169.254.0.1', '::ffff:169.254.0.1'])(
    'is %s, as a name server answers it',
    (address) => expect(isLinkLocal(address)).toBe(true),
  );

  it.each([
    '[64:ff9b::10.0.0.1]',
    '[2002:a9fd::]',
    '[::a9fe]',
    '[64:ff9b:2::a9fe:a9fe]',
    '169.253.0.1',
    '[fec0::1]',
    '[fe00::1]',
    'fe80.example.com',
    '169.254.169.254.example.com',
  ])('is not %s', (authority) => expect(isLinkLocal(hostOf(authority))).toBe(false));
});
