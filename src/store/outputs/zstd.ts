import { Decompress } from 'fzstd';
import { ByteReader } from './byte-reader.ts';

const frameMagic = 0xfd2fb528;
const skippableMagic = 0x184d2a50;
/** What a decoder must hold to go on: other tools too refuse more without being asked. */
const maxWindowBytes = 128 * 1_048_576;
const maxBlockBytes = 131_072;

/**
 * Unpacks zstd (RFC 8878): any number of frames, skippable ones left out. The frames are cut into their blocks here, so
 * that each step gives at most one block of 128 KiB, and a header that asks for gigabytes of memory gets none.
 *
 * @throws RangeError and other errors of any kind for bytes that are damaged
 */
export async function* unzstd(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = new ByteReader(pieces);
  try {
    while (!(await reader.isAtEnd())) {
      const magic = await reader.take(4);
      const number = magic.readUInt32LE();
      if (number === frameMagic) yield* unpackFrame(reader, magic);
      else if ((number & 0xfffffff0) === skippableMagic)
        await reader.skip((await reader.take(4)).readUInt32LE());
      else throw new RangeError('no zstd frame where one should begin');
    }
  } finally {
    await reader.close();
  }
}

async function* unpackFrame(reader: ByteReader, magic: Buffer): AsyncGenerator<Uint8Array> {
  const { bytes, hasChecksum } = await readHeader(reader);
  const unpacked: Uint8Array[] = [];
  const decoder = new Decompress((chunk) => unpacked.push(chunk));
  decoder.push(Buffer.concat([magic, bytes]));
  for (let isLast = false; !isLast; ) {
    const block = await readBlock(reader);
    isLast = block.isLast;
    decoder.push(block.bytes);
    yield* unpacked.splice(0);
  }
  decoder.push(await reader.take(hasChecksum ? 4 : 0), true);
  yield* unpacked.splice(0);
}

/** RFC 8878, 3.1.1.1: descriptor, then window, dictionary and content size, as far as they are there. */
async function readHeader(reader: ByteReader): Promise<{ bytes: Buffer; hasChecksum: boolean }> {
  const descriptor = await reader.take(1);
  const flags = descriptor.readUInt8();
  const isSingle = (flags & 0x20) !== 0;
  const sizeFlag = flags >> 6;
  const dictionaryBytes = [0, 1, 2, 4][flags & 3] ?? 0;
  const sizeBytes = sizeFlag === 0 ? Number(isSingle) : 1 << sizeFlag;
  const window = await reader.take(isSingle ? 0 : 1);
  const rest = await reader.take(dictionaryBytes + sizeBytes);
  const windowBytes = isSingle ? contentSize(rest.subarray(dictionaryBytes)) : windowSize(window.readUInt8());
  if (windowBytes > maxWindowBytes) throw new RangeError(`a zstd window of ${windowBytes} bytes is too big`);
  return { bytes: Buffer.concat([descriptor, window, rest]), hasChecksum: (flags & 4) !== 0 };
}

function windowSize(byte: number): number {
  const base = 2 ** (10 + (byte >> 3));
  return base + (base / 8) * (byte & 7);
}

function contentSize(field: Buffer): number {
  if (field.length === 8) return Number(field.readBigUInt64LE());
  return field.readUIntLE(0, field.length) + (field.length === 2 ? 256 : 0);
}

/** RFC 8878, 3.1.1.2. A block of one repeated byte carries that byte alone. */
async function readBlock(reader: ByteReader): Promise<{ bytes: Buffer; isLast: boolean }> {
  const header = await reader.take(3);
  const number = header.readUIntLE(0, 3);
  const type = (number >> 1) & 3;
  const size = number >> 3;
  if (type === 3 || size > maxBlockBytes) throw new RangeError('a zstd block that cannot be');
  const content = await reader.take(type === 1 ? 1 : size);
  return { bytes: Buffer.concat([header, content]), isLast: (number & 1) === 1 };
}
