import type { Clock } from '../core/clock.ts';
import type { Descriptor } from '../core/descriptor.ts';
import { messageOf, toLayerpullError } from '../core/errors.ts';
import { runLayer } from '../hooks/layer.ts';
import type { LayerEvent, LayerOutcome } from '../hooks/layer-events.ts';
import type { Slots } from '../hooks/layer-slots.ts';
import type { SessionLocks } from '../lock/locks.ts';
import type { BlobSource } from '../source/blob-source.ts';
import { resuming } from '../source/resume.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { LayerResult, LayerSource, PullEvent } from './events.ts';

export interface PullLayerOptions {
  readonly store: { readonly blobs: BlobStore };
  readonly locks: SessionLocks;
  readonly source: BlobSource;
  readonly slots: Slots;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onEvent: (event: PullEvent) => void;
}

/** Ten a second are enough for people, and keep a busy pull from talking more than it downloads. */
const progressEveryMs = 100;

/** Runs one blob through the layer hook and tells of it as part of a pull. */
export async function pullLayer(blob: Descriptor, options: PullLayerOptions): Promise<LayerResult> {
  const { locks, slots, clock, signal, onEvent, store } = options;
  const source = resuming(options.source, {
    clock,
    onRetry: (error) => onEvent({ kind: 'retrying', digest: blob.digest, message: messageOf(error) }),
  });
  try {
    const outcome = await runLayer(blob, {
      locks,
      slots,
      clock,
      signal,
      store: store.blobs,
      download: (context) => source.open(blob, context),
      onEvent: layerTeller(blob, source.url, clock, onEvent),
    });
    return finish(blob, outcome, source.url, onEvent);
  } catch (error) {
    if (!signal.aborted) tellFailure(blob, error, onEvent);
    throw error;
  }
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

function tellFailure(blob: Descriptor, cause: unknown, onEvent: (event: PullEvent) => void): void {
  const error = toLayerpullError(cause);
  onEvent({ kind: 'failed', digest: blob.digest, code: error.code, message: error.message });
}

/** Turns the hook's events into the pull's. */
function layerTeller(
  blob: Descriptor,
  url: string,
  clock: Clock,
  onEvent: (event: PullEvent) => void,
): (event: LayerEvent) => void {
  const { digest, size } = blob;
  let toldMs = Number.NEGATIVE_INFINITY;
  return (event) => {
    switch (event.kind) {
      case 'waiting':
        return onEvent({ ...event, digest });
      case 'started':
        return onEvent({
          kind: 'downloading',
          digest,
          size,
          offset: event.offset,
          source: { kind: 'registry', url },
        });
      case 'revoked':
        return onEvent({ kind: 'retrying', digest, message: event.message });
      case 'progress': {
        if (event.offset < size && clock.now() - toldMs < progressEveryMs) return;
        toldMs = clock.now();
        return onEvent({ kind: 'progress', digest, size, offset: event.offset });
      }
    }
  };
}
