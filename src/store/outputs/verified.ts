import type { Descriptor } from '../../core/descriptor.ts';
import { digestAlgorithm, finishDigest, startDigest } from '../../core/digest.ts';
import { LayerpullError } from '../../core/errors.ts';
import type { BlobStore } from '../blob-store.ts';

/** The bytes of a blob. A store that went bad is found out here, and not by whoever gets the output. */
export async function* readVerified(
  blobs: BlobStore,
  { digest }: Descriptor,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const algorithm = digestAlgorithm(digest);
  const hash = startDigest(algorithm);
  for await (const piece of await blobs.open(digest)) {
    signal.throwIfAborted();
    hash.update(piece);
    yield piece;
  }
  const found = finishDigest(hash, algorithm);
  if (found === digest) return;
  throw new LayerpullError('digest_mismatch', `${digest} is damaged in the store: its bytes are ${found}`, {
    origin: 'store',
    retryable: false,
    hint: 'see layerpull verify --repair',
  });
}
