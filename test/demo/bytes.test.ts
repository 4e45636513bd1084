import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Bytes, bytesOf, concatBytes, randomBytes } from '../../src/demo/bytes.ts';

const whole = (bytes: Bytes) => Buffer.concat([...bytes.read(0, bytes.size)]);

test('any part of random bytes equals that part of the whole', () => {
  const bytes = randomBytes('seed', 200_000);
  const all = whole(bytes);
  fc.assert(
    fc.property(fc.nat(200_000), fc.nat(200_000), (a, b) => {
      const [start, end] = [Math.min(a, b), Math.max(a, b)];
      expect(Buffer.concat([...bytes.read(start, end)]).equals(all.subarray(start, end))).toBe(true);
    }),
  );
});

test('random bytes depend on the seed only', () => {
  expect(whole(randomBytes('a', 1_000)).equals(whole(randomBytes('a', 1_000)))).toBe(true);
  expect(whole(randomBytes('a', 1_000)).equals(whole(randomBytes('b', 1_000)))).toBe(false);
});

test('any part of concatenated bytes equals that part of the whole', () => {
  const bytes = concatBytes([bytesOf(Buffer.from('head')), randomBytes('x', 100), bytesOf(Buffer.alloc(7))]);
  const all = whole(bytes);
  expect(all.length).toBe(111);
  fc.assert(
    fc.property(fc.nat(111), fc.nat(111), (a, b) => {
      const [start, end] = [Math.min(a, b), Math.max(a, b)];
      expect(Buffer.concat([...bytes.read(start, end)]).equals(all.subarray(start, end))).toBe(true);
    }),
  );
});

test('pieces are at most 64 KiB', () => {
  const sizes = [...randomBytes('x', 150_000).read(0, 150_000)].map((piece) => piece.length);
  expect(sizes).toEqual([65_536, 65_536, 18_928]);
});
