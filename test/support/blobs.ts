import type { Descriptor } from '../../src/core/descriptor.ts';
import { mediaTypes } from '../../src/core/descriptor.ts';
import { digestOf } from '../../src/core/digest.ts';

export interface TestBlob extends Descriptor {
  readonly bytes: Buffer;
}

/** A layer with the given text as its bytes. */
export function blobOf(text: string, mediaType: string = mediaTypes.ociLayerGzip): TestBlob {
  const bytes = Buffer.from(text);
  return { mediaType, digest: digestOf(bytes), size: bytes.length, bytes };
}

/** The bytes from `offset` on, in pieces. */
export async function* piecesOf(bytes: Uint8Array, offset = 0, pieceBytes = 4): AsyncIterable<Uint8Array> {
  for (let start = offset; start < bytes.length; start += pieceBytes) {
    yield bytes.subarray(start, start + pieceBytes);
  }
}
