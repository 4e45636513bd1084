import { LayerpullError } from '../../core/errors.ts';
import { type Token, toToken } from '../../core/ids.ts';

/** All times in milliseconds. */
export interface MachineOptions {
  /** Without any word from a session for this long it is lost. Default 15,000. */
  readonly ttlMs: number;
  /** Between two heartbeats, as clients are asked for. Default 5,000. */
  readonly heartbeatMs: number;
  /** After a session's stream broke, time for any request of it. Default 5,000. */
  readonly graceMs: number;
  /** A grant that is not claimed for this long passes on. Default 10,000. */
  readonly claimMs: number;
  /** A lock held without a session ends after this long without a request about it. Default 600,000. */
  readonly leaseMs: number;
  /** A place held without a session lasts this long after its last request. Default 15,000. */
  readonly placeMs: number;
  /** A success answers later requests for this long. Default 600,000. */
  readonly completionMs: number;
  /** Two failures of the content within this time answer further requests. Default 60,000. */
  readonly contentFailureMs: number;
  /** After the start only what was held before is granted, for this long. Default 1,000. */
  readonly recoveryMs: number;
  /** The first token. Default 1. */
  readonly firstToken: Token;
  /** Records of completions and failures kept at most. Default 100,000. */
  readonly maxRecords: number;
  /** Waiters per resource. Default 10,000. */
  readonly maxQueue: number;
  /** Resources with a holder or waiters. Default 100,000. */
  readonly maxResources: number;
}

const defaults: MachineOptions = {
  ttlMs: 15_000,
  heartbeatMs: 5_000,
  graceMs: 5_000,
  claimMs: 10_000,
  leaseMs: 600_000,
  placeMs: 15_000,
  completionMs: 600_000,
  contentFailureMs: 60_000,
  recoveryMs: 1_000,
  firstToken: toToken(1),
  maxRecords: 100_000,
  maxQueue: 10_000,
  maxResources: 100_000,
};

/** Fills in the defaults. @throws LayerpullError `usage` for values that contradict each other */
export function machineOptions(given: Partial<MachineOptions> = {}): MachineOptions {
  const options = { ...defaults, ...given };
  const { ttlMs, heartbeatMs, graceMs, claimMs } = options;
  for (const [name, value] of Object.entries(options)) {
    if (!Number.isSafeInteger(value) || value < 0) throw inconsistent(`${name} must be a whole number`);
  }
  if (heartbeatMs * 2 > ttlMs) throw inconsistent('heartbeatMs must be at most half of ttlMs');
  if (graceMs > ttlMs) throw inconsistent('graceMs must be at most ttlMs');
  if (claimMs <= heartbeatMs) throw inconsistent('claimMs must be more than heartbeatMs');
  return options;
}

function inconsistent(message: string): LayerpullError {
  return new LayerpullError('usage', `lock service options: ${message}`);
}
