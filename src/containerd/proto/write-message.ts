import { Reader } from 'protobufjs';
import type { IncomingWrite, WriteRequest } from './messages.ts';

/** Smaller ones are read as a whole. */
const largeBytes = 65_536;
/** Field 6, length-delimited: `data`. */
const dataTag = (6 << 3) | 2;

/**
 * Reads a message of Write without moving its data: of a large one, what stands before and behind the data is read apart
 * from it.
 *
 * @param decode reads a whole message
 * @throws what `decode` throws
 */
export function readWrite(
  message: readonly Buffer[],
  decode: (bytes: Buffer) => WriteRequest,
): IncomingWrite {
  const parts = message.length > 1 ? split(message) : undefined;
  const read = decode(parts?.rest ?? Buffer.concat(message));
  // Of two fields the last one counts: that one is in the rest.
  if (parts && read.data.length === 0) return { ...read, data: parts.data };
  if (parts) return readWrite([Buffer.concat(message)], decode);
  return { ...read, data: read.data.length > 0 ? [read.data] : [] };
}

interface Parts {
  readonly data: readonly Buffer[];
  /** A message without it. */
  readonly rest: Buffer;
}

/** Undefined for a message without large data that begin in its first piece. */
function split([first = Buffer.alloc(0), ...others]: readonly Buffer[]): Parts | undefined {
  const place = placeOfData(first);
  if (!place || place.bytes < largeBytes) return undefined;
  const data: Buffer[] = [];
  const rest = [first.subarray(0, place.head)];
  let left = place.bytes;
  for (const piece of [first.subarray(place.start), ...others]) {
    const own = piece.subarray(0, left);
    if (own.length > 0) data.push(own);
    if (own.length < piece.length) rest.push(piece.subarray(own.length));
    left -= own.length;
  }
  return left === 0 ? { data, rest: Buffer.concat(rest) } : undefined;
}

/** Where the field begins, where its bytes begin, and how many they are. */
function placeOfData(piece: Buffer): { head: number; start: number; bytes: number } | undefined {
  const reader = Reader.create(piece);
  try {
    while (reader.pos < reader.len) {
      const head = reader.pos;
      const tag = reader.uint32();
      if (tag === dataTag) return { head, bytes: reader.uint32(), start: reader.pos };
      reader.skipType(tag & 7);
    }
  } catch {
    // It is cut, or is no message: whoever reads the whole tells.
  }
  return undefined;
}
