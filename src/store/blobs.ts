import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { type Clock, systemClock } from '../core/clock.ts';
import type { Descriptor } from '../core/descriptor.ts';
import { type Digest, isDigest } from '../core/digest.ts';
import { LayerpullError, systemCodeOf } from '../core/errors.ts';
import type { BlobStore, ByteRange, Ingest, IngestOptions, Writer } from './blob-store.ts';
import { deleteBlob } from './deletion.ts';
import { storageError, storing } from './files.ts';
import { FolderSync } from './folder-sync.ts';
import { GrowthBell } from './growth-bell.ts';
import { FileIngest } from './ingest.ts';
import { blobPath, type Layout, partialsPath } from './layout.ts';
import { createPartial } from './partials.ts';
import type { References } from './references.ts';
import { type OpenSink, openInlineSink } from './sink.ts';

export interface BlobsOptions {
  /** Default: in this thread. */
  readonly openSink?: OpenSink | undefined;
  /** Default: the system's. */
  readonly clock?: Clock;
  /** Rung when a partial has grown. */
  readonly bell?: GrowthBell;
}

/** The blobs of an OCI layout. */
export function createBlobs(layout: Layout, references: References, options: BlobsOptions = {}): BlobStore {
  const { openSink = openInlineSink, clock = systemClock, bell = new GrowthBell() } = options;
  const has = (descriptor: Descriptor) => hasBlob(layout, descriptor);
  const folderSync = new FolderSync();
  return {
    storeId: layout.storeId,
    path: layout.root,
    has,
    open: (digest, range) => openBlob(layout, digest, range),
    ingest: (descriptor, writer, options = {}) =>
      storing(`store ${descriptor.digest}`, () =>
        startIngest({ layout, references, folderSync, openSink, clock, bell }, descriptor, writer, options),
      ),
    delete: (digest, options) =>
      storing(`delete ${digest}`, () => deleteBlob(layout, references, digest, options)),
    list: () => listBlobs(layout),
  };
}

async function hasBlob(layout: Layout, { digest, size }: Descriptor): Promise<boolean> {
  try {
    const stats = await stat(blobPath(layout, digest));
    return stats.isFile() && stats.size === size;
  } catch {
    return false;
  }
}

async function openBlob(
  layout: Layout,
  digest: Digest,
  range?: ByteRange,
): Promise<AsyncIterable<Uint8Array>> {
  const handle = await openBlobFile(layout, digest);
  return reading(digest, handle.createReadStream({ ...range, autoClose: true }));
}

async function openBlobFile(layout: Layout, digest: Digest): Promise<FileHandle> {
  try {
    return await open(blobPath(layout, digest), 'r');
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') throw storageError(error, `read ${digest}`);
    throw new LayerpullError('blob_not_found', `${digest} is not in the store ${layout.root}`, {
      origin: 'store',
    });
  }
}

async function* reading(digest: Digest, bytes: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  try {
    yield* bytes;
  } catch (error) {
    throw storageError(error, `read ${digest}`);
  }
}

interface IngestInto {
  readonly layout: Layout;
  readonly references: References;
  readonly folderSync: FolderSync;
  readonly openSink: OpenSink;
  readonly clock: Clock;
  readonly bell: GrowthBell;
}

async function startIngest(
  { layout, references, folderSync, openSink, clock, bell }: IngestInto,
  descriptor: Descriptor,
  writer: Writer,
  { fresh, onCopied }: IngestOptions,
): Promise<Ingest> {
  const folder = partialsPath(layout, descriptor.digest);
  const ingest = new FileIngest({
    descriptor,
    folder,
    partial: await createPartial(folder, writer),
    target: blobPath(layout, descriptor.digest),
    isThere: () => hasBlob(layout, descriptor),
    isOursAlone: () => references.isOursAlone(descriptor.digest),
    ...{ folderSync, openSink, clock },
    onGrowth: () => bell.ring(descriptor.digest),
  });
  if (fresh) return ingest;
  try {
    await ingest.inherit(onCopied);
  } catch (error) {
    await ingest.discard();
    throw error;
  }
  return ingest;
}

async function* listBlobs({ root }: Layout): AsyncIterable<{ digest: Digest; size: number }> {
  for (const algorithm of ['sha256', 'sha512']) {
    const folder = path.join(root, 'blobs', algorithm);
    for (const name of await readdir(folder)) {
      const digest = `${algorithm}:${name}`;
      const stats = isDigest(digest) ? await stat(path.join(folder, name)).catch(() => undefined) : undefined;
      if (isDigest(digest) && stats?.isFile()) yield { digest, size: stats.size };
    }
  }
}
