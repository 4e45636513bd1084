import type { LayerStore } from '../hooks/layer-run.ts';
import type { Ingest } from '../store/blob-store.ts';

/** Hears what becomes of the bytes of a blob, before whoever writes them goes on. */
export interface StoreWatcher {
  published(): void;
  /** A write or a commit failed. */
  failed(error: unknown): void;
}

/** `store`, whose ingests are watched. */
export function watchedStore(store: LayerStore, watcher: StoreWatcher): LayerStore {
  return {
    has: (descriptor) => store.has(descriptor),
    ingest: async (...args) => watchedIngest(await store.ingest(...args), watcher),
  };
}

function watchedIngest(ingest: Ingest, watcher: StoreWatcher): Ingest {
  const watching = async (work: Promise<void>) => {
    try {
      await work;
    } catch (error) {
      watcher.failed(error);
      throw error;
    }
  };
  return {
    offset: ingest.offset,
    written: () => ingest.written(),
    write: (chunk) => watching(ingest.write(chunk)),
    commit: async () => {
      await watching(ingest.commit());
      watcher.published();
    },
    close: () => ingest.close(),
    discard: () => ingest.discard(),
  };
}
