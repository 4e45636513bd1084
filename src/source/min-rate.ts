import type { Clock } from '../core/clock.ts';
import type { Descriptor } from '../core/descriptor.ts';
import { LayerpullError } from '../core/errors.ts';
import type { BlobSource, OpenBlob } from './blob-source.ts';

export interface MinRate {
  readonly clock: Clock;
  /** 0: no source is too slow. */
  readonly bytesPerSecond: number;
  /** Milliseconds of waiting over which the rate is measured. */
  readonly windowMs: number;
}

/**
 * `source`, but a transfer slower than `bytesPerSecond` ends with `registry_failed`. Only time spent waiting for the
 * source counts: a slow disk or a limit of ours makes no source slow.
 */
export function endingSlowness(source: BlobSource, minRate: MinRate): BlobSource {
  if (minRate.bytesPerSecond === 0) return source;
  return {
    url: source.url,
    open: (descriptor, request) => openMeasured(source, minRate, descriptor, request),
  };
}

async function* openMeasured(
  source: BlobSource,
  minRate: MinRate,
  descriptor: Descriptor,
  request: OpenBlob,
): AsyncGenerator<Uint8Array> {
  const meter = startMeter(minRate, () => tooSlow(source.url, minRate));
  const signal = AbortSignal.any([request.signal, meter.signal]);
  const onHold = (holding: boolean) => {
    meter.wait(!holding);
    request.onHold?.(holding);
  };
  try {
    meter.wait(true);
    for await (const chunk of source.open(descriptor, { ...request, signal, onHold })) {
      meter.wait(false);
      meter.count(chunk.length);
      yield chunk;
      meter.wait(true);
    }
  } finally {
    meter.stop();
  }
}

interface Meter {
  readonly signal: AbortSignal;
  /** Whether the source is waited for from now on. */
  wait(waiting: boolean): void;
  count(bytes: number): void;
  stop(): void;
}

/** Judges window after window; looks four times in each, so that a busy transfer needs no timer for each piece. */
function startMeter({ clock, bytesPerSecond, windowMs }: MinRate, error: () => Error): Meter {
  const slow = new AbortController();
  let waitedMs = 0;
  let bytes = 0;
  let sinceMs: number | undefined;
  const wait = (waiting: boolean) => {
    const nowMs = clock.now();
    if (sinceMs !== undefined) waitedMs += nowMs - sinceMs;
    sinceMs = waiting ? nowMs : undefined;
  };
  const judge = () => {
    wait(sinceMs !== undefined);
    if (waitedMs < windowMs) return;
    if ((bytes / waitedMs) * 1_000 < bytesPerSecond) slow.abort(error());
    waitedMs = 0;
    bytes = 0;
  };
  const stop = clock.every(Math.max(1, windowMs / 4), judge);
  const count = (more: number) => {
    bytes += more;
  };
  return { signal: slow.signal, wait, count, stop };
}

function tooSlow(url: string, { bytesPerSecond, windowMs }: MinRate): LayerpullError {
  const host = URL.canParse(url) ? new URL(url).host : url;
  return new LayerpullError(
    'registry_failed',
    `${host} is slower than ${bytesPerSecond} bytes per second over ${windowMs / 1_000} s`,
    { hint: 'look at the server and the network; --mirror-min-rate says what is too slow' },
  );
}
