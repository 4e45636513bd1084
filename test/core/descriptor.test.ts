import { describe, expect, it } from 'vitest';
import { formatPlatform, matchPlatform, parsePlatform } from '../../src/core/descriptor.ts';

describe('a platform', () => {
  it.each([
    ['linux/amd64', 'linux/amd64'],
    ['Linux/x86_64', 'linux/amd64'],
    ['linux/x86-64/v1', 'linux/amd64'],
    ['linux/amd64/v3', 'linux/amd64/v3'],
    ['linux/aarch64', 'linux/arm64'],
    ['linux/arm64/v8', 'linux/arm64'],
    ['linux/arm64/8', 'linux/arm64'],
    ['linux/arm', 'linux/arm/v7'],
    ['linux/arm/6', 'linux/arm/v6'],
    ['linux/armhf', 'linux/arm/v7'],
    ['linux/armel', 'linux/arm/v6'],
    ['linux/i386', 'linux/386'],
    ['macos/arm64', 'darwin/arm64'],
    ['linux/riscv64', 'linux/riscv64'],
  ])('%s is %s', (text, normal) => {
    expect(formatPlatform(parsePlatform(text))).toBe(normal);
  });

  it.each([
    '',
    'linux',
    'amd64',
    'linux/',
    '/amd64',
    'linux/amd64/',
    'a/b/c/d',
    'linux/a b',
    'linux/\n',
    `linux/${'a'.repeat(65)}`,
  ])('is not %j', (text) => {
    expect(() => parsePlatform(text)).toThrow(
      expect.objectContaining({ code: 'invalid_platform', message: expect.not.stringContaining('\n') }),
    );
  });

  it.each([
    ['linux/amd64', ['linux/arm64', 'linux/amd64'], 1],
    ['linux/amd64', ['linux/amd64/v2'], undefined],
    ['linux/amd64/v3', ['linux/amd64', 'linux/amd64/v2'], 1],
    ['linux/arm/v7', ['linux/arm/v5', 'linux/arm/v6'], 1],
    ['linux/arm/v6', ['linux/arm/v7'], undefined],
    ['linux/arm64', ['linux/arm64/v8'], 0],
    ['linux/arm64', ['linux/arm/v7'], undefined],
    ['linux/arm64/v9', ['linux/arm64'], 0],
    ['linux/amd64', ['windows/amd64'], undefined],
    ['linux/mips/weird', ['linux/mips', 'linux/mips/weird'], 1],
    ['linux/amd64', [], undefined],
  ])('%s finds its match in %o at %s', (wanted, offered, place) => {
    expect(matchPlatform(parsePlatform(wanted), offered.map(parsePlatform))).toBe(place);
  });
});
