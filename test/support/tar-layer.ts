import { createCipheriv, createHash } from 'node:crypto';

const blockBytes = 512;
const chunkBytes = 1024 * 1024;

/**
 * A layer as an uncompressed tar of one file with `fileBytes` of noise, streamed. The same seed gives the same bytes.
 * The tar is 1.5 to 2 KiB bigger than its file.
 */
export function* noiseTar(fileBytes: number, seed: string): Generator<Uint8Array> {
  yield tarHeader(`noise-${createHash('sha256').update(seed).digest('hex').slice(0, 12)}.bin`, fileBytes);
  yield* noise(fileBytes, seed);
  const padding = (blockBytes - (fileBytes % blockBytes)) % blockBytes;
  yield new Uint8Array(padding + 2 * blockBytes);
}

/** Bytes that no compression makes smaller: a key stream. */
export function* noise(totalBytes: number, seed: string): Generator<Uint8Array> {
  const key = createHash('sha256').update(seed).digest();
  const cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  const zeros = Buffer.alloc(chunkBytes);
  for (let left = totalBytes; left > 0; left -= chunkBytes) {
    yield cipher.update(left < chunkBytes ? zeros.subarray(0, left) : zeros);
  }
}

/** A POSIX ustar header of a plain file. */
function tarHeader(name: string, sizeBytes: number): Uint8Array {
  const header = Buffer.alloc(blockBytes);
  header.write(name, 0, 100);
  header.write('0000644\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(`${sizeBytes.toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write(' '.repeat(8), 148);
  header.write('0', 156);
  header.write('ustar\0' + '00', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}
