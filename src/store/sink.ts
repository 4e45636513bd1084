import type { FileHandle } from 'node:fs/promises';
import { type Digest, type DigestAlgorithm, finishDigest, startDigest } from '../core/digest.ts';

/** Takes the bytes of one file in their order, hashes them and appends them. After a failure it takes no more. */
export interface Sink {
  /** Takes pieces, which nobody may change any more. Resolves when more may come. @throws the system's error */
  append(pieces: readonly Uint8Array[]): Promise<void>;
  /** Once all is in the file and synced: the digest of all bytes. @throws the system's error */
  finish(): Promise<Digest>;
  /** Once nothing more will be written, whatever became of it. Never rejects. */
  settle(): Promise<void>;
}

/** @param onAppended called when pieces have reached the file */
export type OpenSink = (handle: FileHandle, algorithm: DigestAlgorithm, onAppended?: () => void) => Sink;

/** In this thread. */
export const openInlineSink: OpenSink = (handle, algorithm, onAppended) => {
  const hash = startDigest(algorithm);
  return {
    async append(pieces) {
      for (const piece of pieces) hash.update(piece);
      await writeAll(handle, pieces);
      onAppended?.();
    },
    async finish() {
      await handle.datasync();
      return finishDigest(hash, algorithm);
    },
    async settle() {},
  };
};

async function writeAll(handle: FileHandle, pieces: readonly Uint8Array[]): Promise<void> {
  let rest = [...pieces];
  let left = rest.reduce((sum, piece) => sum + piece.length, 0);
  while (left > 0) {
    const { bytesWritten } = await handle.writev(rest);
    left -= bytesWritten;
    rest = left > 0 ? after(rest, bytesWritten) : [];
  }
}

/** What is left of `pieces` when `bytes` of them are written. */
function after(pieces: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let skip = bytes;
  return pieces.flatMap((piece) => {
    const kept = piece.subarray(Math.min(skip, piece.length));
    skip = Math.max(0, skip - piece.length);
    return kept.length > 0 ? [kept] : [];
  });
}
