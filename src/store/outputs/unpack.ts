import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { Descriptor } from '../../core/descriptor.ts';
import { isLayerpullError, LayerpullError, messageOf } from '../../core/errors.ts';
import type { BlobStore } from '../blob-store.ts';
import { unzstd } from './zstd.ts';

export type Compression = 'none' | 'gzip' | 'zstd';

/** As docker, by the first bytes: media types of layers are known to be wrong. */
export async function compressionOf(blobs: BlobStore, { digest, size }: Descriptor): Promise<Compression> {
  if (size < 4) return 'none';
  const start: Uint8Array[] = [];
  for await (const piece of await blobs.open(digest, { start: 0, end: 3 })) start.push(piece);
  const magic = Buffer.concat(start);
  if (magic.length < 4) return 'none';
  if (magic.readUInt16BE() === 0x1f8b) return 'gzip';
  const number = magic.readUInt32LE();
  const isZstd = number === 0xfd2fb528 || (number & 0xfffffff0) === 0x184d2a50;
  return isZstd ? 'zstd' : 'none';
}

/**
 * A layer may unpack to 1 GiB, and beyond that to 1,100 times its size: more than gzip can ever do (1,032), and less
 * than what fills a disk out of a few bytes.
 */
const freeBytes = 1_073_741_824;
const maxRatio = 1_100;

/** The bytes of a layer without its compression. @throws LayerpullError `digest_mismatch`, `size_mismatch` */
export async function* unpack(
  layer: Descriptor,
  compression: Exclude<Compression, 'none'>,
  blobs: BlobStore,
): AsyncGenerator<Uint8Array> {
  const maxBytes = Math.max(freeBytes, layer.size * maxRatio);
  const packed = await blobs.open(layer.digest);
  const unpacked = compression === 'gzip' ? gunzip(packed) : unzstd(packed);
  let bytes = 0;
  try {
    for await (const piece of unpacked) {
      bytes += piece.length;
      if (bytes > maxBytes) throw tooMuch(layer, maxBytes);
      yield piece;
    }
  } catch (error) {
    throw isLayerpullError(error) ? error : damaged(layer, compression, error);
  }
}

async function* gunzip(packed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const unpacked = createGunzip({ chunkSize: 262_144 });
  const fed = pipeline(packed, unpacked);
  // Its failure is that of the stream that is read here.
  fed.catch(() => {});
  try {
    yield* unpacked;
  } finally {
    unpacked.destroy();
    await fed.catch(() => {});
  }
}

function tooMuch({ digest, size }: Descriptor, maxBytes: number): LayerpullError {
  return new LayerpullError(
    'size_mismatch',
    `${digest} unpacks to more than ${maxBytes} bytes, too many for a layer of ${size}`,
    { retryable: false, hint: 'do not trust this image; --output oci: keeps its layers packed' },
  );
}

function damaged({ digest }: Descriptor, compression: string, cause: unknown): LayerpullError {
  return new LayerpullError('digest_mismatch', `${digest} is damaged ${compression}: ${messageOf(cause)}`, {
    retryable: false,
    hint: 'the image is broken: build and push it again',
    cause,
  });
}
