import type { Clock } from '../core/clock.ts';
import type { Descriptor } from '../core/descriptor.ts';
import type { BlobSource, OpenBlob } from './blob-source.ts';

/** A budget that refills with time, shared by all who take from it. */
export interface Throttle {
  /** The most to take at once, so that many share it fairly and nobody waits long for one piece. */
  readonly pieceUnits: number;
  /** Resolves when `units` may be used, in the order of the calls. @throws `signal.reason` */
  take(units: number, signal: AbortSignal): Promise<void>;
}

export interface ThrottleOptions {
  readonly clock: Clock;
  readonly unitsPerSecond: number;
  /** Units that may be used at once after a quiet time. Default: those of a tenth of a second. */
  readonly burstUnits?: number;
}

/**
 * A token bucket, kept as the one moment at which what was given out so far is paid: who takes moves it on and sleeps
 * until it is reached. So there is no queue, no polling, and time goes by no faster for many than for one.
 */
export function createThrottle({ clock, unitsPerSecond, burstUnits }: ThrottleOptions): Throttle {
  const burst = burstUnits ?? unitsPerSecond / 10;
  const msOf = (units: number) => (units / unitsPerSecond) * 1_000;
  let paidAtMs = Number.NEGATIVE_INFINITY;
  return {
    pieceUnits: Math.max(1, Math.floor(unitsPerSecond / 10)),
    async take(units, signal) {
      signal.throwIfAborted();
      paidAtMs = Math.max(paidAtMs, clock.now() - msOf(burst)) + msOf(units);
      const waitMs = paidAtMs - clock.now();
      // Less than a timer can measure is waited for with the next piece.
      if (waitMs >= 1) await clock.sleep(waitMs, signal);
    },
  };
}

/** `source`, but its bytes come no faster than `throttle` lets them, shared fairly with all others who use it. */
export function throttled(source: BlobSource, throttle: Throttle): BlobSource {
  return {
    url: source.url,
    open: (descriptor, request) => openThrottled(source, throttle, descriptor, request),
  };
}

async function* openThrottled(
  source: BlobSource,
  throttle: Throttle,
  descriptor: Descriptor,
  request: OpenBlob,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of source.open(descriptor, request)) {
    for (let at = 0; at < chunk.length; at += throttle.pieceUnits) {
      const piece = chunk.subarray(at, at + throttle.pieceUnits);
      await throttle.take(piece.length, request.signal);
      yield piece;
    }
  }
}
