import type { Clock } from '../core/clock.ts';
import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import { runLayer } from '../hooks/layer.ts';
import type { SessionLocks } from '../lock/locks.ts';
import type { SharedDocuments } from '../registry/image-registry.ts';
import type { BlobSource } from '../source/blob-source.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { PeerReading } from './peers.ts';

export interface DocumentParts {
  readonly store: BlobStore;
  /** A document's verified bytes; undefined where they are not in the store. */
  readonly read: (digest: Digest) => Promise<Uint8Array | undefined>;
  readonly locks: SessionLocks;
  readonly clock: Clock;
  /** Default: only the registry is read. */
  readonly peers?: PeerReading | undefined;
  /** Hears of each document that is whole in the store. */
  readonly onStored?: ((digest: Digest) => void) | undefined;
}

export interface DocumentSharing extends SharedDocuments {
  /** Ends what is under way, and waits for it. Idempotent. */
  close(): Promise<void>;
}

/**
 * Takes manifests and indexes as layers are taken: once for all nodes of a lock server.
 *
 * @param open called when the first document is missing: the store and the session are made then
 */
export function shareDocuments(open: () => Promise<DocumentParts>): DocumentSharing {
  const closing = new AbortController();
  const running = new Set<Promise<unknown>>();
  return {
    async bring(descriptor, registry, signal) {
      const work = bring(await open(), descriptor, registry, AbortSignal.any([signal, closing.signal]));
      running.add(work);
      return await work.finally(() => running.delete(work));
    },
    async close() {
      closing.abort(new Error('the pull is over'));
      await Promise.allSettled(running);
    },
  };
}

async function bring(
  parts: DocumentParts,
  descriptor: Descriptor,
  registry: BlobSource,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const { store, locks, clock, peers, read, onStored } = parts;
  await runLayer(descriptor, {
    ...{ store, locks, clock, signal },
    download: ({ guide, ...request }) =>
      (peers ? peers.guided(guide, registry) : registry).open(descriptor, request),
  });
  onStored?.(descriptor.digest);
  return await read(descriptor.digest);
}
