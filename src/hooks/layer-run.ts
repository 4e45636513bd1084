import type { Clock } from '../core/clock.ts';
import type { Descriptor } from '../core/descriptor.ts';
import type { NodeId, Token } from '../core/ids.ts';
import type { Place, SessionLocks, Source, SourceGuide } from '../lock/locks.ts';
import type { SourceUse, Standing } from '../source/blob-source.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { LayerEvent, LayerOutcome } from './layer-events.ts';
import type { Slots } from './layer-slots.ts';

export interface DownloadContext {
  /** First byte wanted: what lies before it is in the store already. */
  readonly offset: number;
  /** Where to read at first. */
  readonly source: Source;
  /** Where to read on. A download that never asks it reads from the registry to the end. */
  readonly guide: SourceGuide;
  /** Absent when nobody coordinates. */
  readonly token?: Token;
  /** Aborts with the pull, and when the lock goes to somebody else. */
  readonly signal: AbortSignal;
  /**
   * For a download that has several sources to choose from: whether one of them, by url, may give bytes now. Ask before
   * each is read.
   */
  readonly standing: (url: string) => Standing;
  /** How often it began again because bytes were wrong that nodes had handed on which could not check them yet. */
  readonly restarts: number;
  /** To be told of each source before it is read, so that its bytes can be laid to its door. */
  readonly onSource: (use: SourceUse) => void;
}

export type LayerDownload = (context: DownloadContext) => AsyncIterable<Uint8Array>;

/** What a run needs of a store. */
export type LayerStore = Pick<BlobStore, 'has' | 'ingest'>;

/** What one run carries from step to step. */
export interface LayerRun {
  readonly layer: Descriptor;
  readonly locks: SessionLocks;
  readonly store: LayerStore;
  readonly download: LayerDownload;
  readonly signal: AbortSignal;
  readonly onEvent: (event: LayerEvent) => void;
  readonly slots: Slots;
  readonly clock: Clock;
  readonly startedMs: number;
}

/** What an attempt led to: the end, a place in the queue, or a reason to ask once more. */
export type Attempt =
  | { readonly kind: 'done'; readonly outcome: LayerOutcome }
  | { readonly kind: 'queued'; readonly place: Place }
  | { readonly kind: 'again'; readonly force: boolean };

/** The outcome of a layer that this run did not have to fetch. */
export function ended(run: LayerRun, kind: 'present' | 'skipped', by?: NodeId): LayerOutcome {
  const durationMs = run.clock.now() - run.startedMs;
  return { kind, bytes: 0, givers: [], bytesFromPeers: 0, durationMs, ...(by ? { by } : {}) };
}
