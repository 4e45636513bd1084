import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Descriptor } from '../../../src/core/descriptor.ts';
import { digestOf } from '../../../src/core/digest.ts';
import { LayerpullError } from '../../../src/core/errors.ts';
import { compressionOf, unpack } from '../../../src/store/outputs/unpack.ts';
import { createFakeBlobStore } from '../../support/fake-blob-store.ts';
import { zstdFrame, zstdRepeating, zstdSkippable } from '../../support/zstd.ts';

function stored(bytes: Uint8Array) {
  const blobs = createFakeBlobStore();
  const layer: Descriptor = { mediaType: 'any', digest: digestOf(bytes), size: bytes.length };
  blobs.blobs.set(layer.digest, bytes);
  return { blobs, layer };
}

const content = Buffer.from('a layer');

describe('the compression of a layer', () => {
  it.each([
    ['gzip', gzipSync(content)],
    ['zstd', zstdFrame(content)],
    ['zstd', Buffer.concat([zstdSkippable(content), zstdFrame(content)])],
    ['none', content],
    ['none', Buffer.alloc(1_024)],
    ['none', Buffer.from([0x1f, 0x8b])],
    ['none', Buffer.alloc(0)],
  ])('is %s by its first bytes, whatever its media type says', async (compression, bytes) => {
    const { blobs, layer } = stored(bytes);
    expect(await compressionOf(blobs, layer)).toBe(compression);
  });
});

describe('unpacking a layer', () => {
  it('stops at 1 GiB, when the layer is too small to hold more', async () => {
    const gibibyte = 1_073_741_824;
    const { blobs, layer } = stored(zstdRepeating(0, gibibyte / 131_072 + 1));
    let bytes = 0;
    const unpackAll = async () => {
      for await (const piece of unpack(layer, 'zstd', blobs)) bytes += piece.length;
    };
    await expect(unpackAll()).rejects.toMatchObject({ code: 'size_mismatch', retryable: false });
    expect(bytes).toBe(gibibyte);
  });

  it('says what is wrong with the store, not with the layer, when the store cannot be read', async () => {
    const { blobs, layer } = stored(gzipSync(content));
    const failing = async function* () {
      yield gzipSync(content).subarray(0, 12);
      throw new LayerpullError('store_failed', 'cannot read');
    };
    const broken = { ...blobs, open: async () => failing() };
    await expect(unpack(layer, 'gzip', broken).next()).rejects.toMatchObject({ code: 'store_failed' });
  });

  it('lets go of the blob when nobody reads on', async () => {
    const { blobs, layer } = stored(gzipSync(Buffer.alloc(10_000_000)));
    let ended = false;
    const watched = async function* () {
      try {
        for (;;) yield gzipSync(Buffer.alloc(1_000_000));
      } finally {
        ended = true;
      }
    };
    for await (const piece of unpack(layer, 'gzip', { ...blobs, open: async () => watched() })) {
      expect(piece.length).toBeGreaterThan(0);
      break;
    }
    expect(ended).toBe(true);
  });
});
