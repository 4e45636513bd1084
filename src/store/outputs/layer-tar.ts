import { randomUUID } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Descriptor } from '../../core/descriptor.ts';
import { type Digest, digestAlgorithm, finishDigest, startDigest } from '../../core/digest.ts';
import { LayerpullError } from '../../core/errors.ts';
import type { BlobStore } from '../blob-store.ts';
import { storing } from '../files.ts';
import { writeAll } from './sinks.ts';
import { compressionOf, unpack } from './unpack.ts';

/** A layer as an uncompressed tar whose size is known. */
export interface LayerTar {
  /** Bytes. */
  readonly size: number;
  /** @throws LayerpullError `digest_mismatch` in the end, when they are not those of the diff id */
  bytes(): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

export interface LayerTarOptions {
  readonly blobs: BlobStore;
  /** Folder for what is unpacked. */
  readonly drafts: string;
  readonly signal: AbortSignal;
}

const pieceBytes = 1_048_576;

/**
 * A tar needs the size of a file before its bytes, and nobody knows it of a packed layer. So it is unpacked into a file
 * first, one layer at a time: reading it twice would unpack it twice, which takes longer, and this way no byte of a
 * layer leaves that does not match its diff id. The file has no name, so not even SIGKILL leaves it behind.
 */
export async function openLayerTar(
  layer: Descriptor,
  diffId: Digest,
  options: LayerTarOptions,
): Promise<LayerTar> {
  const { blobs } = options;
  const compression = await compressionOf(blobs, layer);
  if (compression !== 'none') return await unpackToFile(layer, diffId, compression, options);
  const plain = await blobs.open(layer.digest);
  return { size: layer.size, bytes: () => verified(plain, layer, diffId), close: async () => {} };
}

async function unpackToFile(
  layer: Descriptor,
  diffId: Digest,
  compression: 'gzip' | 'zstd',
  { blobs, drafts, signal }: LayerTarOptions,
): Promise<LayerTar> {
  const handle = await openNameless(drafts);
  let size = 0;
  try {
    for await (const piece of verified(unpack(layer, compression, blobs), layer, diffId)) {
      signal.throwIfAborted();
      await storing(`unpack ${layer.digest}`, () => writeAll(handle, piece));
      size += piece.length;
    }
  } catch (error) {
    await handle.close();
    throw error;
  }
  return { size, bytes: () => readAll(handle), close: () => handle.close() };
}

async function openNameless(drafts: string): Promise<FileHandle> {
  return await storing('unpack a layer', async () => {
    const file = path.join(drafts, `output-${randomUUID()}`);
    const handle = await open(file, 'wx+', 0o600);
    await rm(file, { force: true });
    return handle;
  });
}

async function* readAll(handle: FileHandle): AsyncGenerator<Uint8Array> {
  for (let position = 0; ; ) {
    const buffer = Buffer.allocUnsafe(pieceBytes);
    const { bytesRead } = await storing('read an unpacked layer', () =>
      handle.read(buffer, 0, pieceBytes, position),
    );
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
    position += bytesRead;
  }
}

async function* verified(
  bytes: AsyncIterable<Uint8Array>,
  { digest }: Descriptor,
  diffId: Digest,
): AsyncGenerator<Uint8Array> {
  const algorithm = digestAlgorithm(diffId);
  const hash = startDigest(algorithm);
  for await (const piece of bytes) {
    hash.update(piece);
    yield piece;
  }
  const found = finishDigest(hash, algorithm);
  if (found === diffId) return;
  throw new LayerpullError(
    'digest_mismatch',
    `${digest} unpacks to ${found}, but the config says ${diffId}`,
    {
      retryable: false,
      hint: 'the image is broken: build and push it again',
    },
  );
}
