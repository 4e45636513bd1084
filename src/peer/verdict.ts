import type { Descriptor } from '../core/descriptor.ts';
import { isLayerpullError } from '../core/errors.ts';
import { tlsProblemOf } from '../http/tls-problems.ts';
import type { PeerSource } from '../lock/sources.ts';
import { reasonOf } from '../source/all-failed.ts';
import type { Peers } from './client.ts';
import type { Fault } from './peer-health.ts';

/**
 * What a failed read says about a peer.
 *
 * `patience`: nothing against it. It has no more itself, or not yet, or serves enough others. `bad`: another one is
 * wanted. `fault` where that counts towards doing without it, or without peers.
 */
export type Verdict =
  | { readonly kind: 'patience'; readonly reason: string; readonly pauseMs: number }
  | { readonly kind: 'bad'; readonly reason: string; readonly fault?: Fault };

/** So often in a row, without a byte, a peer is believed that it has nothing to give. */
export const maxPatience = 3;
const pauseMs = 200;
const longestPauseMs = 1_000;
/** A peer that is so little ahead is as slow as what it reads from. */
const littleBytes = 1_048_576;

export interface FailedRead {
  readonly peer: PeerSource;
  readonly descriptor: Descriptor;
  readonly reached: number;
  readonly error: unknown;
  /** How often in a row patience was shown before. */
  readonly patience: number;
}

export async function judge(peers: Peers, failed: FailedRead, signal: AbortSignal): Promise<Verdict> {
  const { peer, error, patience } = failed;
  const reason = isLayerpullError(error) ? reasonOf({ url: peer.url, error }) : 'failed';
  const code = isLayerpullError(error) ? error.code : 'unexpected';
  const mayWait = patience < maxPatience;
  switch (code) {
    case 'blob_not_found':
      // Its download may not have begun yet, or begin again.
      return mayWait && !peer.complete ? patient(reason, pauseMs) : bad(reason);
    case 'rate_limited':
    case 'registry_failed':
      return mayWait && isBusy(error) ? patient('serves enough others', pauseOf(error)) : bad(reason);
    case 'registry_stalled':
      return mayWait && (await isStarved(peers, failed, 0, signal))
        ? patient('waits itself', 0)
        : bad(reason, 'silent');
    case 'timed_out':
      return mayWait && (await isStarved(peers, failed, littleBytes, signal))
        ? patient('is slow itself', 0)
        : bad('is slow', 'slow');
    case 'access_denied':
      // It is this node that does not belong to the fleet, so the others will do the same.
      return bad(reason, 'silent');
    default:
      return bad(reason, faultOfTls(error));
  }
}

function patient(reason: string, pauseMs: number): Verdict {
  return { kind: 'patience', reason, pauseMs };
}

function bad(reason: string, fault?: Fault): Verdict {
  return { kind: 'bad', reason, ...(fault ? { fault } : {}) };
}

/** What keeps TLS from coming about keeps it again, and with other members of the fleet as a rule, too. */
function faultOfTls(error: unknown): Fault | undefined {
  let cause = error;
  while (isLayerpullError(cause)) cause = cause.cause;
  const problem = tlsProblemOf(cause);
  if (problem === undefined) return undefined;
  return problem === 'no-tls' ? 'silent' : 'certificate';
}

/** It said when to come back. */
function isBusy(error: unknown): boolean {
  return isLayerpullError(error) && error.retryAfterMs !== undefined;
}

function pauseOf(error: unknown): number {
  const wanted = isLayerpullError(error) ? (error.retryAfterMs ?? pauseMs) : pauseMs;
  return Math.min(longestPauseMs, wanted);
}

/** Whether the peer answers, and says that it has hardly more than we have. */
async function isStarved(peers: Peers, failed: FailedRead, slackBytes: number, signal: AbortSignal) {
  const { peer, descriptor, reached } = failed;
  if (peer.complete) return false;
  const bytes = await peers.bytesOf(peer.url, descriptor, signal);
  return bytes !== undefined && bytes <= reached + slackBytes;
}
