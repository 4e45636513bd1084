import type { Clock } from '../core/clock.ts';

export interface ThrottleOptions {
  readonly clock: Clock;
  readonly bytesPerSecond: number;
  /** Bytes that pass at once after a pause. Default: what 50 ms allow. */
  readonly burstBytes?: number;
}

/** Shares one rate among all who call `take`, first come, first served. */
export interface Throttle {
  /** Resolves when `bytes` may pass. @throws `signal.reason` */
  take(bytes: number, signal?: AbortSignal): Promise<void>;
}

/** A token bucket, kept as the time at which the bytes promised so far will have passed. */
export function createThrottle(options: ThrottleOptions): Throttle {
  const { clock, bytesPerSecond } = options;
  const burstMs = ((options.burstBytes ?? bytesPerSecond / 20) / bytesPerSecond) * 1_000;
  let passedAtMs = Number.NEGATIVE_INFINITY;
  return {
    async take(bytes, signal) {
      const nowMs = clock.now();
      passedAtMs = Math.max(passedAtMs, nowMs - burstMs) + (bytes / bytesPerSecond) * 1_000;
      if (passedAtMs > nowMs) await clock.sleep(passedAtMs - nowMs, signal);
    },
  };
}
