import { countIn, type GivenFlags, type Machine, readDuration, readSize, setting } from './values.ts';

/** What one node bears of another, and gives to others. */
export interface PeerBounds {
  /** Milliseconds without a byte of a layer until another node counts as silent. */
  readonly silenceMs: number;
  /** Bytes per second below which another node is left; 0 never leaves. */
  readonly minBytesPerSecond: number;
  /** Milliseconds over which that rate is measured. */
  readonly minRateWindowMs: number;
  /** Layers on their way to other nodes at once. */
  readonly maxTransfers: number;
}

/** @throws LayerpullError `usage` */
export function readPeerBounds(flags: GivenFlags, machine: Machine): PeerBounds {
  return {
    silenceMs: readDuration('peer-stall-timeout', flags, machine, 5_000),
    minBytesPerSecond: readSize('peer-min-rate', flags, machine, 16_384),
    minRateWindowMs: readDuration('peer-min-rate-window', flags, machine, 10_000),
    maxTransfers: readMaxTransfers(flags, machine),
  };
}

/** More would not fit into the connections that a node takes at once. */
const mostTransfers = 1_000;

function readMaxTransfers(flags: GivenFlags, machine: Machine): number {
  const given = setting('max-transfers', flags, machine);
  return given ? countIn(given, mostTransfers, 'transfers') : 128;
}
