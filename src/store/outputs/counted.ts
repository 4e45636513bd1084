import type { Descriptor } from '../../core/descriptor.ts';
import type { BlobStore } from '../blob-store.ts';

/** The same store, which tells of all bytes that are read from it. */
export function countingReads(blobs: BlobStore, onRead: (bytes: number) => void): BlobStore {
  return {
    ...blobs,
    open: async (digest, range) => counted(await blobs.open(digest, range), onRead),
  };
}

async function* counted(
  pieces: AsyncIterable<Uint8Array>,
  onRead: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    onRead(piece.length);
    yield piece;
  }
}

/** Bytes of an image's blobs, each once. */
export function sizeOf(blobs: readonly Descriptor[]): number {
  return blobs.reduce((sum, { size }) => sum + size, 0);
}
