import { randomUUID } from 'node:crypto';
import { withDeadline } from '../core/abort.ts';
import { type Clock, systemClock } from '../core/clock.ts';
import { LayerpullError } from '../core/errors.ts';
import { toRequestId } from '../core/ids.ts';
import type { AcquireReply, AcquireRequest, Locks, ResourceRequest, StatusReply } from './locks.ts';

export interface PollOptions {
  readonly locks: Pick<Locks, 'acquire' | 'status' | 'decline'>;
  readonly clock?: Clock;
  /** Milliseconds between two polls. Default 500; more than 15,000 loses the place. */
  readonly intervalMs?: number;
  readonly signal: AbortSignal;
}

/** `failed`: the wait ended with an error that concerns everyone who waited, or with a refusal. */
export type PolledReply =
  | Exclude<AcquireReply, { readonly kind: 'queued' }>
  | { readonly kind: 'failed'; readonly error: string };

/** Giving a place up is tried for this many milliseconds. */
const lastWordMs = 1_000;

/**
 * Asks for a lock and waits for it without a stream: polls the status until the lock is there, the work is done, or an
 * error is told. For clients without a session; one that has a session keeps it alive by heartbeats of its own.
 *
 * Between two polls nothing is missed: whenever the status tells a change, or the place is gone, the lock is asked for
 * again under the same request id, and that answer counts.
 *
 * @throws LayerpullError of `Locks`; `signal.reason` when aborted, after the place was given up
 */
export async function acquireByPolling(request: AcquireRequest, options: PollOptions): Promise<PolledReply> {
  const { locks, signal, clock = systemClock } = options;
  const named = { ...request, requestId: request.requestId ?? toRequestId(randomUUID()) };
  try {
    for (;;) {
      const reply = await locks.acquire(named, signal);
      if (reply.kind !== 'queued') return reply;
      const error = await pollUntilChanged(named, options);
      if (error !== undefined) return { kind: 'failed', error };
    }
  } catch (error) {
    if (signal.aborted) await giveUp(locks, named, clock);
    throw error;
  }
}

/** Answers the error that the status tells, if it does. */
async function pollUntilChanged(request: ResourceRequest, options: PollOptions): Promise<string | undefined> {
  const { locks, signal, clock = systemClock, intervalMs = 500 } = options;
  for (;;) {
    await clock.sleep(intervalMs, signal);
    const { type, resourceId, nodeId, sessionId } = request;
    const session = sessionId === undefined ? {} : { sessionId };
    const status = await locks.status({ type, resourceId, nodeId, ...session }, signal);
    if (status.error !== undefined) return status.error;
    if (status.acquired || status.completed || !isWaiting(request, status)) return undefined;
  }
}

/** A server that forgot everything answers politely, and for ever, that nothing has happened. */
function isWaiting({ type, nodeId, sessionId }: ResourceRequest, { view }: StatusReply): boolean {
  return view.queue.some((one) => {
    const isOwn = sessionId === undefined ? one.nodeId === nodeId : one.sessionId === sessionId;
    return isOwn && one.type === type && (one.sessionId === undefined) === (sessionId === undefined);
  });
}

async function giveUp(
  locks: Pick<Locks, 'decline'>,
  { type, resourceId, nodeId, sessionId }: ResourceRequest,
  clock: Clock,
): Promise<void> {
  const request = { type, resourceId, nodeId, ...(sessionId === undefined ? {} : { sessionId }) };
  const late = () => new LayerpullError('lock_unreachable', 'the place could not be given up in time');
  await withDeadline(clock, lastWordMs, undefined, late, (signal) => locks.decline(request, signal)).catch(
    () => {},
  );
}
