import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { unzstd } from '../../../src/store/outputs/zstd.ts';
import { piecesOf } from '../../support/blobs.ts';
import {
  frameHeader,
  zstdFrame,
  zstdRepeating,
  zstdSkippable,
  zstdText,
  zstdTextPacked,
} from '../../support/zstd.ts';

async function unpacked(bytes: Uint8Array, pieceBytes = 7): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of unzstd(piecesOf(bytes, 0, pieceBytes))) pieces.push(piece);
  return Buffer.concat(pieces);
}

describe('unpacking zstd', () => {
  it('gives what the tool packed, however it is cut into pieces', async () => {
    for (const pieceBytes of [1, 3, 18, 1_000]) {
      expect((await unpacked(zstdTextPacked, pieceBytes)).toString()).toBe(zstdText);
    }
  });

  it('goes on through many frames and passes over skippable ones', async () => {
    const aside = zstdSkippable(Buffer.from('a table of contents'));
    const frames = [
      aside,
      zstdFrame(Buffer.from('one ')),
      aside,
      zstdTextPacked,
      zstdFrame(Buffer.from(' two')),
      aside,
    ];
    expect((await unpacked(Buffer.concat(frames))).toString()).toBe(`one ${zstdText} two`);
  });

  it('gives nothing for nothing, and for an empty frame', async () => {
    expect(await unpacked(Buffer.alloc(0))).toHaveLength(0);
    expect(await unpacked(zstdFrame(Buffer.alloc(0)))).toHaveLength(0);
  });

  it('gives content of several blocks', async () => {
    const content = Buffer.from(Array.from({ length: 50_000 }, (_, at) => at % 251));
    expect((await unpacked(zstdFrame(content, 1_000), 977)).equals(content)).toBe(true);
  });

  it('gives a bomb in steps of at most one block', async () => {
    let bytes = 0;
    for await (const piece of unzstd(piecesOf(zstdRepeating(7, 100), 0, 10_000))) {
      expect(piece.length).toBeLessThanOrEqual(131_072);
      bytes += piece.length;
    }
    expect(bytes).toBe(100 * 131_072);
  });

  it.each([
    ['an end inside of a frame', zstdTextPacked.subarray(0, 50)],
    ['an end inside of a header', zstdTextPacked.subarray(0, 5)],
    ['an end inside of a checksum', zstdTextPacked.subarray(0, -1)],
    ['an end inside of a skippable frame', zstdSkippable(Buffer.alloc(20)).subarray(0, 15)],
    ['something else behind a frame', Buffer.concat([zstdTextPacked, Buffer.from('tail of text')])],
    ['a reserved type of block', Buffer.concat([frameHeader(), Buffer.from([7, 0, 0])])],
    ['a block of 2 MiB', Buffer.concat([frameHeader(), Buffer.from([0xfb, 0xff, 0xff, 1])])],
    ['a window of 256 MiB', Buffer.concat([frameHeader(18 << 3), Buffer.from([1, 0, 0])])],
    ['a window of 3.75 TiB', Buffer.concat([frameHeader(0xff), Buffer.from([1, 0, 0])])],
  ])('refuses %s', async (_what, bytes) => {
    await expect(unpacked(bytes)).rejects.toThrow();
  });

  it('ends on any bytes, with content or an error', async () => {
    const start = fc.constantFrom(zstdTextPacked.subarray(0, 12), frameHeader(), zstdTextPacked);
    await fc.assert(
      fc.asyncProperty(start, fc.uint8Array({ maxLength: 200 }), async (head, tail) => {
        await unpacked(Buffer.concat([head, tail])).catch((error: unknown) =>
          expect(error).toBeInstanceOf(Error),
        );
      }),
      { numRuns: 300 },
    );
  });
});
