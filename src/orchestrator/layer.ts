import type { Clock } from '../core/clock.ts';
import type { Descriptor } from '../core/descriptor.ts';
import { messageOf } from '../core/errors.ts';
import { runLayer } from '../hooks/layer.ts';
import type { LayerOutcome } from '../hooks/layer-events.ts';
import type { Slots } from '../hooks/layer-slots.ts';
import type { SessionLocks } from '../lock/locks.ts';
import type { BlobSource } from '../source/blob-source.ts';
import { type TransferBounds, transferring } from '../source/transfer.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { ByteSource, LayerResult, LayerSource, PullEvent } from './events.ts';
import { startTelling } from './teller.ts';

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

/** Runs one blob through the layer hook and tells of it as part of a pull. */
export async function pullLayer(blob: Descriptor, options: PullLayerOptions): Promise<LayerResult> {
  const { locks, slots, clock, signal, onEvent, store } = options;
  const source = transferring(options.source, {
    ...options.transfer,
    clock,
    onRetry: (error) => onEvent({ kind: 'retrying', digest: blob.digest, message: messageOf(error) }),
  });
  const teller = startTelling({ blob, url: source.url, clock, onEvent });
  const outcome = await runLayer(blob, {
    ...{ locks, slots, clock, signal, store: store.blobs, onEvent: teller.tell },
    download: (context) => source.open(blob, context),
  }).finally(teller.stop);
  return finish(blob, outcome, { givers: teller.givers(), url: source.url }, onEvent);
}

interface Origin {
  readonly givers: readonly ByteSource[];
  /** Where the blob is asked for. */
  readonly url: string;
}

function finish(
  blob: Descriptor,
  outcome: LayerOutcome,
  from: Origin,
  onEvent: (event: PullEvent) => void,
): LayerResult {
  const { digest, size, mediaType } = blob;
  const ended = {
    outcome: outcome.kind,
    source: sourceOf(outcome, from),
    ...(from.givers.length > 1 ? { sources: from.givers } : {}),
    bytes: outcome.bytes,
    durationMs: Math.round(outcome.durationMs),
  };
  onEvent({ kind: 'finished', digest, size, ...ended });
  return { digest, size, mediaType, ...ended };
}

/** Of several the last: the one that made the layer whole. */
function sourceOf({ kind, by }: LayerOutcome, { givers, url }: Origin): LayerSource {
  if (kind === 'downloaded') return { kind: 'registry', url: givers.at(-1)?.url ?? url };
  return { kind: 'store', ...(by ? { node: by } : {}) };
}
