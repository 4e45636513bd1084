import type { OpenBlob } from '../store/shelf.ts';

/** What is read at once where small pieces are asked for one after the other. */
const aheadBytes = 524_288;
/** Larger pieces are read as they are asked for. */
const smallBytes = 131_072;

/**
 * A blob of which pieces are read in their order: containerd asks for 32 KiB at a time, and a read of a file is a way
 * through another thread and back. Whoever jumps about reads as without it.
 */
export function readingAhead(blob: OpenBlob): OpenBlob {
  let ahead: Buffer = Buffer.alloc(0);
  let aheadFrom = 0;
  /** Where the last piece ended. */
  let next = 0;
  return {
    size: blob.size,
    close: () => blob.close(),
    async read(position, bytes) {
      const isInOrder = position === next;
      next = position + bytes;
      const start = position - aheadFrom;
      const end = Math.min(start + bytes, blob.size - aheadFrom);
      if (start >= 0 && end <= ahead.length && start < end) return ahead.subarray(start, end);
      if (!isInOrder || bytes > smallBytes) return await blob.read(position, bytes);
      const read = await blob.read(position, aheadBytes);
      ahead = read;
      aheadFrom = position;
      return read.subarray(0, bytes);
    },
  };
}
