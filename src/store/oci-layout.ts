import type { Clock } from '../core/clock.ts';
import type { Descriptor } from '../core/descriptor.ts';
import { digestAlgorithm, digestOf } from '../core/digest.ts';
import { LayerpullError } from '../core/errors.ts';
import { type Log, silentLog } from '../core/log.ts';
import type { BlobStore } from './blob-store.ts';
import { createBlobs } from './blobs.ts';
import { replaceFile, storing } from './files.ts';
import type { Garbage } from './garbage.ts';
import { createGarbage } from './garbage-files.ts';
import { createGrowing } from './growing.ts';
import type { GrowingBlobs } from './growing-blobs.ts';
import { GrowthBell } from './growth-bell.ts';
import type { ImageStore } from './image-store.ts';
import { createImages } from './images.ts';
import { blobPath, ingestPath, type Layout, openLayout } from './layout.ts';
import { collectAbandoned } from './partials.ts';
import { readDocument } from './peek.ts';
import { createReferences } from './reference-book.ts';
import type { References } from './references.ts';
import { collectWrong } from './repair.ts';
import type { Shelf } from './shelf.ts';
import { openShelf } from './shelf-files.ts';
import type { OpenSink } from './sink.ts';
import { settleTrash } from './trash.ts';

export interface OpenStoreOptions {
  /** Folder of the store; made where it does not exist. */
  readonly path: string;
  readonly clock: Clock;
  readonly log?: Log;
  /** Removes old partials and ends deletions that were broken off. Default true; who only looks leaves them. */
  readonly tidy?: boolean;
  /** Where blobs are hashed and written. Default: in this thread. */
  readonly openSink?: OpenSink | undefined;
}

/** A content store on disk: an OCI image layout that other tools read directly. */
export interface Store {
  readonly blobs: BlobStore;
  /** For those who serve blobs while they are being written. */
  readonly growing: GrowingBlobs;
  readonly images: ImageStore;
  readonly references: References;
  readonly garbage: Garbage;
  /** Keeps a manifest or an index under its digest. @throws LayerpullError `digest_mismatch`, `size_mismatch`, `store_*` */
  putDocument(descriptor: Descriptor, bytes: Uint8Array): Promise<void>;
  /** Takes the shelf of a program with a catalog of its own. @throws LayerpullError `data_in_use`, `store_*` */
  shelf(name: string): Promise<Shelf>;
}

/** Partials that nobody touched for this long are not coming back. */
const abandonedAfterMs = 24 * 3_600_000;

/**
 * Opens or makes a store. Nothing stays open: there is nothing to close.
 *
 * @throws LayerpullError `store_unusable`, `store_full`, `store_failed`
 */
export async function openStore(options: OpenStoreOptions): Promise<Store> {
  const { path: folder, clock, log = silentLog, tidy = true, openSink } = options;
  const layout = await storing(`use the store ${folder}`, () => openLayout(folder));
  const references = createReferences({ layout, clock });
  const bell = new GrowthBell();
  const blobs = createBlobs(layout, references, { openSink, clock, bell });
  if (tidy) await tidyUp(layout, references, clock);
  return {
    blobs,
    growing: createGrowing({ layout, clock, bell }),
    images: createImages({ layout, clock, log }),
    references,
    garbage: createGarbage({ layout, clock, references }),
    putDocument: async (descriptor, bytes) => {
      refuseWrongBytes(descriptor, bytes);
      // What is there is looked at: a damaged document would be read from the registry again for ever.
      if (await readDocument(layout, descriptor.digest)) return;
      await storing(`store ${descriptor.digest}`, () =>
        replaceFile(blobPath(layout, descriptor.digest), bytes, ingestPath(layout)),
      );
    },
    shelf: (name) => openShelf(layout, name, log),
  };
}

/** Nothing depends on it: a store that cannot be written is not kept from being read. */
async function tidyUp(layout: Layout, references: References, clock: Clock): Promise<void> {
  await collectAbandoned(ingestPath(layout), clock.wallNow(), abandonedAfterMs).catch(() => {});
  await settleTrash(layout, references.read).catch(() => {});
  await collectWrong(layout, clock.wallNow()).catch(() => {});
}

function refuseWrongBytes({ digest, size }: Descriptor, bytes: Uint8Array): void {
  const found = digestOf(bytes, digestAlgorithm(digest));
  if (found !== digest) {
    throw new LayerpullError('digest_mismatch', `${digest} does not match its bytes: they are ${found}`);
  }
  if (bytes.length !== size) {
    throw new LayerpullError('size_mismatch', `${digest} has ${bytes.length} bytes, not the ${size} stated`);
  }
}
