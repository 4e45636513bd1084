import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { noise, noiseTar } from '../support/tar-layer.ts';

test('a layer of noise is a tar that tar reads', () => {
  const tar = Buffer.concat([...noiseTar(1_000_000, 'seed')]);
  const listing = execFileSync('tar', ['-tvf', '-'], { input: tar, encoding: 'utf8' });
  expect(listing).toMatch(/^-rw-r--r-- .* 1000000 .* noise-[0-9a-f]{12}\.bin\n$/);
});

test('the same seed gives the same noise, another seed other noise, at any length', () => {
  const bytes = (length: number, seed: string) => Buffer.concat([...noise(length, seed)]);
  expect(bytes(3_000_000, 'a').equals(bytes(3_000_000, 'a'))).toBe(true);
  expect(bytes(100, 'a').equals(bytes(100, 'b'))).toBe(false);
  expect(bytes(0, 'a')).toHaveLength(0);
});
