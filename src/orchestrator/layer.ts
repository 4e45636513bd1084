import type { Clock } from '../core/clock.ts';
import type { Descriptor } from '../core/descriptor.ts';
import { messageOf } from '../core/errors.ts';
import { runLayer } from '../hooks/layer.ts';
import type { LayerEvent, LayerOutcome } from '../hooks/layer-events.ts';
import type { Slots } from '../hooks/layer-slots.ts';
import type { SessionLocks } from '../lock/locks.ts';
import type { BlobSource } from '../source/blob-source.ts';
import { type TransferBounds, transferring } from '../source/transfer.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { LayerResult, LayerSource, PullEvent } from './events.ts';

export interface PullLayerOptions {
  readonly store: { readonly blobs: BlobStore };
  readonly locks: SessionLocks;
  readonly source: BlobSource;
  readonly slots: Slots;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** How fast and how long layers may be read. Default: without limits. */
  readonly transfer?: TransferBounds;
  readonly onEvent: (event: PullEvent) => void;
}

/** Ten a second are enough for people, and keep a busy pull from talking more than it downloads. */
const progressEveryMs = 100;

/** Runs one blob through the layer hook and tells of it as part of a pull. */
export async function pullLayer(blob: Descriptor, options: PullLayerOptions): Promise<LayerResult> {
  const { locks, slots, clock, signal, onEvent, store } = options;
  const source = transferring(options.source, {
    ...options.transfer,
    clock,
    onRetry: (error) => onEvent({ kind: 'retrying', digest: blob.digest, message: messageOf(error) }),
  });
  const teller = startTelling(blob, source.url, clock, onEvent);
  const outcome = await runLayer(blob, {
    ...{ locks, slots, clock, signal, store: store.blobs, onEvent: teller.tell },
    download: (context) => source.open(blob, context),
  }).finally(teller.stop);
  return finish(blob, outcome, source.url, onEvent);
}

function finish(
  blob: Descriptor,
  outcome: LayerOutcome,
  url: string,
  onEvent: (event: PullEvent) => void,
): LayerResult {
  const { digest, size, mediaType } = blob;
  const source = sourceOf(outcome, url);
  const durationMs = Math.round(outcome.durationMs);
  onEvent({
    kind: 'finished',
    digest,
    size,
    outcome: outcome.kind,
    source,
    bytes: outcome.bytes,
    durationMs,
  });
  return { digest, size, mediaType, outcome: outcome.kind, source, bytes: outcome.bytes, durationMs };
}

function sourceOf(outcome: LayerOutcome, url: string): LayerSource {
  if (outcome.kind === 'downloaded') return { kind: 'registry', url };
  return { kind: 'store', ...(outcome.by ? { node: outcome.by } : {}) };
}

interface Teller {
  tell(event: LayerEvent): void;
  stop(): void;
}

/** Turns the hook's events into the pull's. Progress is told by the clock, so that a stall shows where it stands. */
function startTelling(
  blob: Descriptor,
  url: string,
  clock: Clock,
  onEvent: (event: PullEvent) => void,
): Teller {
  const { digest, size } = blob;
  let reached = 0;
  let told = 0;
  const tellProgress = () => {
    if (reached === told) return;
    told = reached;
    onEvent({ kind: 'progress', digest, size, offset: reached });
  };
  const stopTicking = clock.every(progressEveryMs, tellProgress);
  const tell = (event: LayerEvent) => {
    switch (event.kind) {
      case 'waiting':
        return onEvent({ ...event, digest });
      case 'started': {
        const source = { kind: 'registry', url } as const;
        reached = told = event.offset;
        return onEvent({ kind: 'downloading', digest, size, offset: event.offset, source });
      }
      case 'revoked':
        return onEvent({ kind: 'retrying', digest, message: event.message });
      case 'progress':
        reached = event.offset;
    }
  };
  const stop = () => {
    stopTicking();
    tellProgress();
  };
  return { tell, stop };
}
