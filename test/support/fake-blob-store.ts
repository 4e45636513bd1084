import type { Descriptor } from '../../src/core/descriptor.ts';
import { type Digest, digestAlgorithm, digestOf } from '../../src/core/digest.ts';
import { LayerpullError } from '../../src/core/errors.ts';
import { toStoreId } from '../../src/core/ids.ts';
import type { BlobStore, Ingest } from '../../src/store/blob-store.ts';

export interface FakeBlobStore extends BlobStore {
  readonly blobs: Map<Digest, Uint8Array>;
  /** Bytes left behind by an earlier writer. */
  readonly partials: Map<Digest, Uint8Array>;
  /** Blobs that somebody needs. */
  readonly referenced: Set<Digest>;
  open: BlobStore['open'];
  /** Ingests that were not closed. */
  readonly openIngests: { count: number };
}

/** A content store in memory that verifies like the real one. */
export function createFakeBlobStore(): FakeBlobStore {
  const blobs = new Map<Digest, Uint8Array>();
  const partials = new Map<Digest, Uint8Array>();
  const openIngests = { count: 0 };
  const referenced = new Set<Digest>();
  return {
    storeId: toStoreId('store-1'),
    path: '/store',
    blobs,
    partials,
    openIngests,
    referenced,
    has: async ({ digest, size }) => blobs.get(digest)?.length === size,
    open: async (digest, range) => {
      const bytes = blobs.get(digest);
      if (!bytes) throw new LayerpullError('blob_not_found', `${digest} is not there`, { origin: 'store' });
      return (async function* () {
        yield range ? bytes.subarray(range.start, range.end + 1) : bytes;
      })();
    },
    ingest: async (descriptor, _writer, { fresh = false } = {}) =>
      startIngest(descriptor, fresh, { blobs, partials, openIngests }),
    delete: async (digest, { check = () => {} }) => {
      if (referenced.has(digest)) return { kind: 'referenced' };
      check();
      const bytes = blobs.get(digest)?.length;
      return blobs.delete(digest) && bytes !== undefined ? { kind: 'deleted', bytes } : { kind: 'absent' };
    },
    async *list() {
      for (const [digest, bytes] of blobs) yield { digest, size: bytes.length };
    },
  };
}

type Shelves = Pick<FakeBlobStore, 'blobs' | 'partials' | 'openIngests'>;

function startIngest(
  descriptor: Descriptor,
  fresh: boolean,
  { blobs, partials, openIngests }: Shelves,
): Ingest {
  const inherited = (fresh ? undefined : partials.get(descriptor.digest)) ?? new Uint8Array();
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
      if (bytes.length + chunk.length > descriptor.size) throw wrongSize(descriptor);
      bytes = Buffer.concat([bytes, chunk]);
    },
    async commit() {
      end(bytes.length < descriptor.size);
      if (bytes.length < descriptor.size) throw wrongSize(descriptor);
      const found = digestOf(bytes, digestAlgorithm(descriptor.digest));
      if (found !== descriptor.digest) {
        throw new LayerpullError('digest_mismatch', `${descriptor.digest}: the bytes are ${found}`);
      }
      blobs.set(descriptor.digest, bytes);
    },
    close: async () => end(true),
    discard: async () => end(false),
  };
}

function wrongSize({ digest, size }: Descriptor): LayerpullError {
  return new LayerpullError('size_mismatch', `${digest} has not the ${size} bytes stated`);
}
