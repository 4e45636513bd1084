import type { Descriptor } from '../../src/core/descriptor.ts';
import { type Digest, digestOf } from '../../src/core/digest.ts';
import { LayerpullError } from '../../src/core/errors.ts';
import { toStoreId } from '../../src/core/ids.ts';
import type { BlobStore, Ingest } from '../../src/store/blob-store.ts';

export interface FakeBlobStore extends BlobStore {
  readonly blobs: Map<Digest, Uint8Array>;
  /** Bytes left behind by an earlier writer. */
  readonly partials: Map<Digest, Uint8Array>;
  /** Ingests that were not closed. */
  open: BlobStore['open'];
  readonly openIngests: { count: number };
}

/** A content store in memory that verifies like the real one. */
export function createFakeBlobStore(): FakeBlobStore {
  const blobs = new Map<Digest, Uint8Array>();
  const partials = new Map<Digest, Uint8Array>();
  const openIngests = { count: 0 };
  return {
    storeId: toStoreId('store-1'),
    path: '/store',
    blobs,
    partials,
    openIngests,
    has: async ({ digest, size }) => blobs.get(digest)?.length === size,
    open: async (digest) => {
      const bytes = blobs.get(digest) ?? new Uint8Array();
      return (async function* () {
        yield bytes;
      })();
    },
    ingest: async (descriptor) => startIngest(descriptor, { blobs, partials, openIngests }),
    async *list() {
      for (const [digest, bytes] of blobs) yield { digest, size: bytes.length };
    },
  };
}

type Shelves = Pick<FakeBlobStore, 'blobs' | 'partials' | 'openIngests'>;

function startIngest(descriptor: Descriptor, { blobs, partials, openIngests }: Shelves): Ingest {
  const inherited = partials.get(descriptor.digest) ?? new Uint8Array();
  let bytes = Buffer.from(inherited);
  let isOpen = true;
  openIngests.count += 1;
  const end = (keep: boolean) => {
    if (!isOpen) return;
    isOpen = false;
    openIngests.count -= 1;
    if (keep) partials.set(descriptor.digest, bytes);
    else partials.delete(descriptor.digest);
  };
  return {
    offset: inherited.length,
    written: () => bytes.length,
    async write(chunk) {
      bytes = Buffer.concat([bytes, chunk]);
    },
    async commit() {
      end(false);
      const found = digestOf(bytes);
      if (found !== descriptor.digest) {
        throw new LayerpullError('digest_mismatch', `${descriptor.digest}: the bytes are ${found}`);
      }
      blobs.set(descriptor.digest, bytes);
    },
    close: async () => end(true),
    discard: async () => end(false),
  };
}
