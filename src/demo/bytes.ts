import { createCipheriv, createHash } from 'node:crypto';

/** Bytes that can be read from any place again and again, without being kept. */
export interface Bytes {
  readonly size: number;
  /** The bytes from `start` up to, not including, `end`, in pieces of at most 64 KiB. */
  read(start: number, end: number): Iterable<Uint8Array>;
}

const pieceBytes = 65_536;
const blockBytes = 16;
const zeros = Buffer.alloc(pieceBytes);

/** The bytes of a buffer. */
export function bytesOf(buffer: Uint8Array): Bytes {
  return {
    size: buffer.length,
    *read(start, end) {
      for (let at = start; at < end; at += pieceBytes)
        yield buffer.subarray(at, Math.min(end, at + pieceBytes));
    },
  };
}

/** `size` bytes that look random and are the same for the same `seed`: the key stream of AES in counter mode. */
export function randomBytes(seed: string, size: number): Bytes {
  const key = createHash('sha256').update(seed).digest().subarray(0, blockBytes);
  return {
    size,
    *read(start, end) {
      if (start >= end) return;
      const cipher = createCipheriv('aes-128-ctr', key, counterBlock(Math.floor(start / blockBytes)));
      cipher.update(zeros.subarray(0, start % blockBytes));
      for (let at = start; at < end; at += pieceBytes) {
        yield cipher.update(zeros.subarray(0, Math.min(pieceBytes, end - at)));
      }
    },
  };
}

/** One after the other. */
export function concatBytes(parts: readonly Bytes[]): Bytes {
  return {
    size: parts.reduce((sum, part) => sum + part.size, 0),
    *read(start, end) {
      let offset = 0;
      for (const part of parts) {
        const from = Math.max(0, start - offset);
        const to = Math.min(part.size, end - offset);
        if (from < to) yield* part.read(from, to);
        offset += part.size;
      }
    },
  };
}

function counterBlock(block: number): Buffer {
  const counter = Buffer.alloc(blockBytes);
  counter.writeBigUInt64BE(BigInt(block), 8);
  return counter;
}
