import { expect, it } from 'vitest';
import { readingAhead } from '../../src/containerd/read-ahead.ts';
import { randomContent } from '../conformance/content-store/support.ts';

const kibibyte = 1_024;

function setUp(size: number) {
  const { bytes } = randomContent(size);
  const reads: [number, number][] = [];
  const blob = readingAhead({
    size,
    async read(position, count) {
      reads.push([position, count]);
      return bytes.subarray(position, position + count);
    },
    close: async () => {},
  });
  return { bytes, reads, blob };
}

it('reads a blob a few times that is asked for in many small pieces', async () => {
  const { bytes, reads, blob } = setUp(1_500 * kibibyte);
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 32 * kibibyte) pieces.push(await blob.read(at, 32 * kibibyte));
  expect(Buffer.concat(pieces).equals(bytes)).toBe(true);
  expect(reads).toHaveLength(3);
});

it('gives the right bytes to those who jump about, and reads no more for them', async () => {
  const { bytes, reads, blob } = setUp(2_000 * kibibyte);
  const jumps = [0, 5, 1_000_000, 3, 1_999_999, 700_000, 700_100, 2_047_990, 524_280, 524_290];
  for (const at of jumps) {
    expect(await blob.read(at, 100)).toEqual(bytes.subarray(at, at + 100));
  }
  expect(reads.filter(([, count]) => count > 100).length).toBeLessThan(4);
});

it('gives two readers at once what each asked for', async () => {
  const { bytes, blob } = setUp(900 * kibibyte);
  const readAll = async (step: number) => {
    const pieces: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += step) pieces.push(await blob.read(at, step));
    return Buffer.concat(pieces);
  };
  const [one, two] = await Promise.all([readAll(32 * kibibyte), readAll(20 * kibibyte)]);
  expect(one.equals(bytes)).toBe(true);
  expect(two.equals(bytes)).toBe(true);
});

it('gives large pieces as they are asked for, and nothing behind the end', async () => {
  const { bytes, reads, blob } = setUp(600 * kibibyte);
  expect((await blob.read(0, 300 * kibibyte)).equals(bytes.subarray(0, 300 * kibibyte))).toBe(true);
  expect(reads).toEqual([[0, 300 * kibibyte]]);
  expect(await blob.read(600 * kibibyte, 10)).toEqual(Buffer.alloc(0));
});
