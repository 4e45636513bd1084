import type { HolderRateOptions } from './holder-rate.ts';

/** When the line to a lock server counts as what. Milliseconds, each with the reason for its default. */
export interface LinkBounds {
  /** First contact, in all: a pull must not stand at the door. Default 3,000. */
  readonly firstContactMs: number;
  /** Out of reach for this long ends coordination. Default 5,000. */
  readonly outOfReachMs: number;
  /** One heartbeat; shorter than the interval between two. Default 4,000. */
  readonly heartbeatTimeoutMs: number;
  /** Between heartbeats while bytes flow, so that waiters see progress. Default 1,000. */
  readonly busyHeartbeatMs: number;
  /** Between heartbeats while there is no stream: the polling fallback. With jitter. Default 500. */
  readonly pollMs: number;
  /** Before a broken stream is opened again; twice as long each time it breaks soon, with jitter. Default 500. */
  readonly reconnectMs: number;
  /** The longest of those pauses: heartbeats do its work meanwhile. Default 10,000. */
  readonly maxReconnectMs: number;
}

/** When a session stops relying on others. */
export interface SessionBounds extends LinkBounds, HolderRateOptions {
  /** A waiter leaves a holder that is slower than this. Default 262,144, less than any plain pull; 0 never leaves. */
  readonly minRateBytesPerSecond: number;
  /** Milliseconds over which that rate is measured. Default 30,000: a hiccup is not slowness. */
  readonly minRateWindowMs: number;
}

export const defaultBounds: SessionBounds = {
  firstContactMs: 3_000,
  outOfReachMs: 5_000,
  heartbeatTimeoutMs: 4_000,
  busyHeartbeatMs: 1_000,
  pollMs: 500,
  reconnectMs: 500,
  maxReconnectMs: 10_000,
  minRateBytesPerSecond: 262_144,
  minRateWindowMs: 30_000,
};
