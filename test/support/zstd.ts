/** Pieces of zstd (RFC 8878) written by hand. */

/** What `zstdTextPacked` unpacks to. */
export const zstdText = Array.from({ length: 40 }, (_, at) => `layer ${at % 7} of ${at % 11}\n`).join('');

/** A frame of raw blocks. */
export function zstdFrame(content: Uint8Array, blockBytes = 65_536): Buffer {
  const blocks: Buffer[] = [];
  for (let start = 0; start < content.length || start === 0; start += blockBytes) {
    const piece = content.subarray(start, start + blockBytes);
    blocks.push(block(0, piece.length, start + blockBytes >= content.length), Buffer.from(piece));
  }
  return Buffer.concat([frameHeader(), ...blocks]);
}

/** A frame that repeats one byte: `blocks` times 128 KiB out of four bytes each. */
export function zstdRepeating(byte: number, blocks: number): Buffer {
  const one = (isLast: boolean) => Buffer.concat([block(1, 131_072, isLast), Buffer.from([byte])]);
  const middle = one(false);
  return Buffer.concat([frameHeader(), ...Array.from({ length: blocks - 1 }, () => middle), one(true)]);
}

/** A frame that decoders pass over. */
export function zstdSkippable(content: Uint8Array): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(0x184d2a53, 0);
  header.writeUInt32LE(content.length, 4);
  return Buffer.concat([header, content]);
}

/** `windowByte`: exponent (10 and more) in its upper five bits. Default 1 MiB. */
export function frameHeader(windowByte = 10 << 3): Buffer {
  return Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, windowByte]);
}

function block(type: number, size: number, isLast: boolean): Buffer {
  const header = Buffer.alloc(3);
  header.writeUIntLE((size << 3) | (type << 1) | Number(isLast), 0, 3);
  return header;
}

/** What `zstd -19 --check` made of `zstdText`: a compressed block and a checksum. */
export const zstdTextPacked = Buffer.from(
  'KLUv/QRo5QIAIsQMEcC3AX4E+PL/6hbZ3ZuDGg4LQBPP7roIq4lnd12E1cSz2z9h4WvVTMQ7sx+4yikXImmYMagQ8NbP0FWGMRA4gZyYD+Yg0v/vLe69N47f7YjpykZMrjlA7RRpEDv2',
  'base64',
);
