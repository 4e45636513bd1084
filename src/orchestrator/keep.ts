import type { Descriptor } from '../core/descriptor.ts';
import { LayerpullError } from '../core/errors.ts';
import type { NodeId } from '../core/ids.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { Garbage } from '../store/garbage.ts';
import type { Claim, References } from '../store/references.ts';
import type { LayerResult } from './events.ts';

/** The store as those use it who must not lose a blob to somebody that removes images meanwhile. */
export interface SharedStore {
  readonly blobs: BlobStore;
  readonly references: References;
  readonly garbage: Garbage;
}

export interface KeepRequest {
  /** The image that needs the blobs. */
  readonly name: string;
  readonly node: NodeId;
  /** Every blob of the image, documents included. */
  readonly needed: readonly Descriptor[];
}

/** What was removed in spite of a reference is fetched again, so often. */
const maxRounds = 5;

/**
 * The puller's half of the order that makes deletion safe: writes a reference to all that is needed, then brings what is
 * missing and records the image (`bring`), then looks again, and brings what was removed meanwhile. All of it stays
 * until `use` is done with it; from then on the record is the reference.
 *
 * @throws LayerpullError `store_*`; what `bring` and `use` throw
 */
export async function keepingAll<T>(
  request: KeepRequest,
  store: SharedStore,
  bring: () => Promise<readonly LayerResult[]>,
  use: (results: readonly LayerResult[]) => Promise<T>,
): Promise<T> {
  const { name, needed } = request;
  const claim = await claimAll(request, store);
  try {
    let results = await bring();
    for (let round = 1; !(await isWhole(needed, store)); round += 1) {
      if (round >= maxRounds) throw keepsVanishing(name);
      results = merge(results, await bring());
    }
    return await use(results);
  } finally {
    await claim.release();
  }
}

/** Where nothing can be written, a full disk or a store that others manage, what is there can still be used. */
async function claimAll({ name, node, needed }: KeepRequest, store: SharedStore): Promise<Claim> {
  try {
    return await store.references.claim({ name, node, digests: needed.map(({ digest }) => digest) });
  } catch (error) {
    if (await hasAll(needed, store)) return { release: async () => {} };
    throw error;
  }
}

/** A deleter that was killed may have moved away what it would have put back. */
async function isWhole(needed: readonly Descriptor[], store: SharedStore): Promise<boolean> {
  if (await hasAll(needed, store)) return true;
  await store.garbage.settle();
  return await hasAll(needed, store);
}

async function hasAll(needed: readonly Descriptor[], { blobs }: SharedStore): Promise<boolean> {
  const found = await Promise.all(needed.map((blob) => blobs.has(blob)));
  return found.every(Boolean);
}

/** How each blob came into the store, with the bytes of all rounds. */
function merge(before: readonly LayerResult[], again: readonly LayerResult[]): LayerResult[] {
  const earlier = new Map(before.map((result) => [result.digest, result]));
  return again.map((result) => {
    const first = earlier.get(result.digest);
    if (!first) return result;
    const { bytes, durationMs } = first;
    const last = result.outcome === 'present' ? first : result;
    const fromPeers = (first.bytesFromPeers ?? 0) + (result.bytesFromPeers ?? 0);
    return {
      ...last,
      bytes: bytes + result.bytes,
      ...(fromPeers > 0 ? { bytesFromPeers: fromPeers } : {}),
      durationMs: durationMs + result.durationMs,
    };
  });
}

function keepsVanishing(name: string): LayerpullError {
  return new LayerpullError('store_failed', `blobs of ${name} keep vanishing from the store`, {
    hint: 'see what else removes files there, then pull again',
  });
}
