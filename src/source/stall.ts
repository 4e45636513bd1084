import type { Clock } from '../core/clock.ts';
import type { Descriptor } from '../core/descriptor.ts';
import { LayerpullError } from '../core/errors.ts';
import type { BlobSource, OpenBlob } from './blob-source.ts';

export interface StallOptions {
  readonly clock: Clock;
  /**
   * Milliseconds without a byte until the connection is given up. Default 20,000: when a layer stands still for as long,
   * the lock server gives it to another node, and a connection that hangs is noticed no earlier by anything else.
   */
  readonly stallMs?: number | undefined;
}

export const defaultStallMs = 20_000;

/**
 * `source`, but a transfer in which nothing arrives ends with `registry_stalled`, which may be tried again. Only time
 * spent waiting for the source counts: not that in which the reader is busy or a limit of ours holds the request back.
 */
export function endingStalls(source: BlobSource, options: StallOptions): BlobSource {
  return {
    url: source.url,
    open: (descriptor, request) => openWatched(source, options, descriptor, request),
  };
}

async function* openWatched(
  source: BlobSource,
  { clock, stallMs = defaultStallMs }: StallOptions,
  descriptor: Descriptor,
  request: OpenBlob,
): AsyncGenerator<Uint8Array> {
  let reached = request.offset ?? 0;
  const watch = startWatch(clock, stallMs, () => stalled(source, descriptor, reached, stallMs));
  const signal = AbortSignal.any([request.signal, watch.signal]);
  const onHold = (holding: boolean) => {
    watch.hold(holding);
    request.onHold?.(holding);
  };
  try {
    watch.hold(false);
    for await (const chunk of source.open(descriptor, { ...request, signal, onHold })) {
      if (chunk.length === 0) continue;
      watch.hold(true);
      reached += chunk.length;
      yield chunk;
      watch.hold(false);
    }
  } finally {
    watch.stop();
  }
}

/** So often in that span one looks, so that a busy transfer needs no timer for each piece. */
const looks = 20;
/** Between two looks at most so much of that span counts: a process that was stopped has waited for nobody meanwhile. */
const mostAtOnce = 0.25;

function startWatch(clock: Clock, stallMs: number, error: () => Error) {
  const stall = new AbortController();
  /** Since the last look, or the end of the last hold. */
  let sinceMs: number | undefined;
  let waitedMs = 0;
  const stop = clock.every(Math.max(1, stallMs / looks), () => {
    if (sinceMs === undefined) return;
    const nowMs = clock.now();
    waitedMs += Math.min(nowMs - sinceMs, stallMs * mostAtOnce);
    sinceMs = nowMs;
    if (waitedMs >= stallMs) stall.abort(error());
  });
  const hold = (holding: boolean) => {
    sinceMs = holding ? undefined : clock.now();
    waitedMs = 0;
  };
  return { signal: stall.signal, hold, stop };
}

function stalled(
  { url }: BlobSource,
  { digest, size }: Descriptor,
  reached: number,
  stallMs: number,
): LayerpullError {
  const host = URL.canParse(url) ? new URL(url).host : url;
  const message = `${host} sent nothing of ${digest} for ${stallMs / 1_000} s, after ${reached} of ${size} bytes`;
  return new LayerpullError('registry_stalled', message, {
    hint: 'look at the registry and the network; --stall-timeout waits longer',
  });
}
