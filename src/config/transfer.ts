import { type GivenFlags, type Machine, readDuration, readSize, setting, usage } from './values.ts';

/** How bytes come from registries: how long a silence may last, how long all may take, and how fast. */
export interface TransferConfig {
  /** Milliseconds without a byte of a layer until its connection is given up. */
  readonly stallTimeoutMs: number;
  /** Milliseconds for one layer, with all tries. Absent: no limit. */
  readonly layerTimeoutMs?: number;
  /** Milliseconds for the whole pull. Absent: no limit. */
  readonly timeoutMs?: number;
  /** For all layers of a pull together; 0 does not limit. */
  readonly bytesPerSecond: number;
  /** To all registries together; 0 does not limit. */
  readonly requestsPerSecond: number;
}

/** @throws LayerpullError `usage` */
export function readTransfer(flags: GivenFlags, machine: Machine): TransferConfig {
  const layerTimeoutMs = readLimit('layer-timeout', flags, machine);
  const timeoutMs = readLimit('timeout', flags, machine);
  return {
    stallTimeoutMs: readDuration('stall-timeout', flags, machine, 20_000),
    ...(layerTimeoutMs === undefined ? {} : { layerTimeoutMs }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    bytesPerSecond: readRate(flags, machine),
    requestsPerSecond: readRequestRate(flags, machine),
  };
}

function readLimit(name: string, flags: GivenFlags, machine: Machine): number | undefined {
  return setting(name, flags, machine) ? readDuration(name, flags, machine, 0) : undefined;
}

/** Below 1 KiB a second a layer would take a day; more often a unit was forgotten. */
const leastBytesPerSecond = 1_024;

function readRate(flags: GivenFlags, machine: Machine): number {
  const rate = readSize('limit-rate', flags, machine, 0);
  const given = setting('limit-rate', flags, machine);
  if (!given || rate === 0 || rate >= leastBytesPerSecond) return rate;
  throw usage(given, 'is less than 1KiB', 'give bytes per second, such as 10MiB, or 0 for no limit');
}

function readRequestRate(flags: GivenFlags, machine: Machine): number {
  const given = setting('limit-registry-rps', flags, machine);
  if (!given) return 0;
  if (/^\d{1,5}$/.test(given.text)) return Number(given.text);
  throw usage(
    given,
    'is not a number of requests',
    'give a whole number of requests per second, or 0 for no limit',
  );
}
