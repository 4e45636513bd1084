import { LayerpullError } from '../../core/errors.ts';
import { type Token, toToken } from '../../core/ids.ts';

/** All times in milliseconds. */
export interface MachineOptions {
  /** Without a heartbeat for this long a session is lost. Default 15,000. */
  readonly ttlMs: number;
  /** Between two heartbeats, as clients are asked for. Default 5,000: one may get lost within the TTL. */
  readonly heartbeatMs: number;
  /** After a session's stream broke, time for any request of it. Default 5,000. */
  readonly graceMs: number;
  /** The same where a later session of its node, on the same store, says that the process started again. Default 1,500: a live one asks twice in that time. */
  readonly successorMs: number;
  /** A grant that is not claimed for this long passes on. Default 10,000. */
  readonly claimMs: number;
  /** A holder that reports its progress loses the lock when its offset stands still for this long. Default 20,000. */
  readonly stallMs: number;
  /** A node that reads a resource from the registry for others, and gets no further, gives way after this long. Default 20,000. */
  readonly originStallMs: number;
  /** A source that served badly, or was lost, is nobody's for this long. Default 60,000. */
  readonly banMs: number;
  /** Within this time of its grant a node leaves the registry to another, so that layers have different readers; 0: never. Default 50. */
  readonly yieldMs: number;
  /** After a client without a session closed its last connection, time for any request of its node. Default 30,000. */
  readonly nodeGraceMs: number;
  /** A lock held without a session ends after this long without a request about it. Default 600,000. */
  readonly leaseMs: number;
  /** A place held without a session lasts this long after its last request. Default 15,000. */
  readonly placeMs: number;
  /** A success answers later requests for this long. Default 600,000. */
  readonly completionMs: number;
  /** A release repeated within this time is answered as the first was. Default 600,000. */
  readonly repeatMs: number;
  /** Two failures of the content within this time answer further requests for as long again. Default 60,000. */
  readonly contentFailureMs: number;
  /** After the start only what was held before is granted, for this long; 0 where nothing was. Default 1,000. */
  readonly recoveryMs: number;
  /** The first token; above all of an earlier life. Default 1. */
  readonly firstToken: Token;
  /** False: a taken lock refuses instead of queueing. Default true. */
  readonly queueing: boolean;
  /** Resources remembered after their last use, at most. Default 100,000. */
  readonly maxRecords: number;
  /** Waiters per resource. Default 10,000. */
  readonly maxQueue: number;
  /** Resources with a holder or waiters. Default 100,000. */
  readonly maxResources: number;
  /** Sessions that are open. Default 100,000. */
  readonly maxSessions: number;
  /** Nodes that are sent to one source of a resource, as long as there is another. Default 2: half of a link each. */
  readonly fanOut: number;
  /** Digests of which one session is known to have a copy. Default 100,000. */
  readonly maxCopies: number;
}

const defaults: MachineOptions = {
  ttlMs: 15_000,
  heartbeatMs: 5_000,
  graceMs: 5_000,
  successorMs: 1_500,
  claimMs: 10_000,
  stallMs: 20_000,
  originStallMs: 20_000,
  banMs: 60_000,
  yieldMs: 50,
  nodeGraceMs: 30_000,
  leaseMs: 600_000,
  placeMs: 15_000,
  completionMs: 600_000,
  repeatMs: 600_000,
  contentFailureMs: 60_000,
  recoveryMs: 1_000,
  firstToken: toToken(1),
  queueing: true,
  maxRecords: 100_000,
  maxQueue: 10_000,
  maxResources: 100_000,
  maxSessions: 100_000,
  fanOut: 2,
  maxCopies: 100_000,
};

/** Fills in the defaults. @throws LayerpullError `usage` for values that contradict each other */
export function machineOptions(given: Partial<MachineOptions> = {}): MachineOptions {
  const options = { ...defaults, ...given };
  const { queueing: _, recoveryMs, yieldMs, ...positive } = options;
  for (const [name, value] of Object.entries(positive)) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw inconsistent(`${name} must be a positive whole number`);
  }
  for (const [name, value] of Object.entries({ recoveryMs, yieldMs })) {
    if (!Number.isSafeInteger(value) || value < 0) throw inconsistent(`${name} must be a whole number`);
  }
  const { ttlMs, heartbeatMs, graceMs, claimMs, stallMs, originStallMs, leaseMs } = options;
  if (heartbeatMs * 2 > ttlMs) throw inconsistent('heartbeatMs must be at most half of ttlMs');
  if (graceMs > ttlMs) throw inconsistent('graceMs must be at most ttlMs');
  if (stallMs <= heartbeatMs) throw inconsistent('stallMs must be more than heartbeatMs');
  if (originStallMs <= heartbeatMs) throw inconsistent('originStallMs must be more than heartbeatMs');
  if (yieldMs >= heartbeatMs) throw inconsistent('yieldMs must be less than heartbeatMs');
  if (claimMs <= heartbeatMs) throw inconsistent('claimMs must be more than heartbeatMs');
  if (leaseMs < claimMs) throw inconsistent('leaseMs must be at least claimMs');
  return options;
}

function inconsistent(message: string): LayerpullError {
  return new LayerpullError('usage', `lock service options: ${message}`);
}
