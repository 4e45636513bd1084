import { type GivenFlags, type Machine, readDuration, readSize } from './values.ts';

/** When a node stops relying on its lock server, and on who downloads for it. */
export interface CoordinationBounds {
  /** Milliseconds for the first contact with a lock server, in all. */
  readonly firstContactMs: number;
  /** Milliseconds out of reach of its server until a waiter goes to the registry. */
  readonly outOfReachMs: number;
  /** Bytes per second below which a waiter leaves the holder; 0 never leaves. */
  readonly minRateBytesPerSecond: number;
  /** Milliseconds over which that rate is measured. */
  readonly minRateWindowMs: number;
}

/** @throws LayerpullError `usage` */
export function readBounds(flags: GivenFlags, machine: Machine): CoordinationBounds {
  return {
    firstContactMs: readDuration('first-contact', flags, machine, 3_000),
    outOfReachMs: readDuration('out-of-reach', flags, machine, 5_000),
    minRateBytesPerSecond: readSize('min-rate', flags, machine, 262_144),
    minRateWindowMs: readDuration('min-rate-window', flags, machine, 30_000),
  };
}
