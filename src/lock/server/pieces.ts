/**
 * Bytes that are handed to a connection at once. Whether a client takes anything shows only between two pieces, so
 * this, in `stallMs`, is the least that a client must take.
 */
export const pieceBytes = 16_384;

/** The same bytes in pieces, without a copy. */
export function* piecesOf(bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
  for (let start = 0; start < bytes.length; start += pieceBytes) {
    yield bytes.subarray(start, start + pieceBytes);
  }
}
