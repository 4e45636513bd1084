import type { Clock } from '../core/clock.ts';
import type { Descriptor } from '../core/descriptor.ts';
import { messageOf } from '../core/errors.ts';
import { runLayer } from '../hooks/layer.ts';
import type { LayerOutcome } from '../hooks/layer-events.ts';
import type { Giver } from '../hooks/layer-givers.ts';
import type { DownloadContext } from '../hooks/layer-run.ts';
import type { Slots } from '../hooks/layer-slots.ts';
import type { SessionLocks } from '../lock/locks.ts';
import type { BlobSource } from '../source/blob-source.ts';
import { type TransferBounds, transferring } from '../source/transfer.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { ByteSource, LayerResult, LayerSource, PullEvent } from './events.ts';
import type { PeerReading } from './peers.ts';
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
  /** Other nodes to read from. Default: only the registry is read. */
  readonly peers?: PeerReading | undefined;
}

/** Runs one blob through the layer hook and tells of it as part of a pull. */
export async function pullLayer(blob: Descriptor, options: PullLayerOptions): Promise<LayerResult> {
  const { locks, slots, clock, signal, onEvent, store } = options;
  const { url } = options.source;
  const bounds = {
    ...options.transfer,
    clock,
    onRetry: (error: unknown) =>
      onEvent({ kind: 'retrying', digest: blob.digest, message: messageOf(error) }),
  };
  const teller = startTelling({ blob, url, clock, onEvent });
  const outcome = await runLayer(blob, {
    ...{ locks, slots, clock, signal, store: store.blobs, onEvent: teller.tell },
    download: (context) => transferring(sourceFor(context, options), bounds).open(blob, context),
  }).finally(teller.stop);
  return finish(blob, outcome, url, onEvent);
}

/** Peers where the lock server names some, else the registry. */
function sourceFor({ guide }: DownloadContext, { source, peers }: PullLayerOptions): BlobSource {
  return peers ? peers.guided(guide, source) : source;
}

function finish(
  blob: Descriptor,
  outcome: LayerOutcome,
  url: string,
  onEvent: (event: PullEvent) => void,
): LayerResult {
  const { digest, size, mediaType } = blob;
  const sources = outcome.givers.map((giver) => toByteSource(giver, url));
  const ended = {
    outcome: outcome.kind,
    source: sourceOf(outcome, sources, url),
    ...(sources.length > 1 ? { sources } : {}),
    bytes: outcome.bytes,
    ...(outcome.bytesFromPeers > 0 ? { bytesFromPeers: outcome.bytesFromPeers } : {}),
    durationMs: Math.round(outcome.durationMs),
  };
  onEvent({ kind: 'finished', digest, size, ...ended });
  return { digest, size, mediaType, ...ended };
}

/** @param url where the blob is asked for when nobody says more exactly */
function toByteSource({ kind, node, bytes, ...giver }: Giver, url: string): ByteSource {
  return { kind, url: giver.url ?? url, ...(node ? { node } : {}), bytes };
}

/** Of several the last: the one that made the layer whole. */
function sourceOf({ kind, by }: LayerOutcome, sources: readonly ByteSource[], url: string): LayerSource {
  if (kind === 'downloaded' || kind === 'copied') {
    const { bytes: _, ...last } = sources.at(-1) ?? { kind: 'registry', url, bytes: 0 };
    return last;
  }
  return { kind: 'store', ...(by ? { node: by } : {}) };
}
