import { LayerpullError } from '../../../../core/errors.ts';
import type { Calls, EtcdStream } from './calls.ts';
import { type EtcdChanges, EtcdCompacted } from './etcd.ts';
import { deniedError, Silence } from './failures.ts';
import type { Keys } from './keys.ts';
import type { WatchReply, WatchRequest } from './messages.ts';
import { Pulse } from './pulse.ts';
import { WholeRevisions } from './whole-revisions.ts';

/**
 * One stream with one watch on it, as `Etcd.watch` promises. What comes faster than it is read waits at etcd: the stream
 * takes few messages ahead.
 */
export async function* watch(
  calls: Calls,
  keys: Keys,
  prefix: string,
  fromRevision: number,
  signal: AbortSignal,
): AsyncGenerator<EtcdChanges, void> {
  for (let isSecond = false; !signal.aborted; isSecond = true) {
    const opened = await openUnlessAborted(calls, signal);
    if (!opened) return;
    const { stream } = opened;
    const cancel = () => stream.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    try {
      const { key, rangeEnd } = keys.below(prefix);
      stream.write({ createRequest: { key, rangeEnd, startRevision: fromRevision, fragment: true } });
      yield* read(calls, keys, opened, fromRevision);
    } catch (error) {
      if (signal.aborted) return;
      // Permission was denied: perhaps only because the token is over, of which etcd 3.4 says no more than that.
      if (!(error instanceof Denied)) throw error;
      if (isSecond) throw deniedError(calls.access.askedOf(opened.member), error.message);
      await calls.access.refused(opened.metadata);
    } finally {
      signal.removeEventListener('abort', cancel);
      stream.cancel();
    }
  }
}

type WatchStream = EtcdStream<WatchRequest, WatchReply>;

async function openUnlessAborted(calls: Calls, signal: AbortSignal): Promise<WatchStream | undefined> {
  try {
    return await calls.open(calls.methods.watch, signal);
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}

async function* read(
  calls: Calls,
  keys: Keys,
  { stream, member }: WatchStream,
  fromRevision: number,
): AsyncGenerator<EtcdChanges, void> {
  const replies: AsyncIterator<WatchReply, undefined> = stream[Symbol.asyncIterator]();
  const pulse = new Pulse(calls, {
    ask: () => stream.write({ progressRequest: {} }),
    end: () => stream.cancel(),
  });
  const revisions = new WholeRevisions(keys);
  try {
    for (;;) {
      const reply = await pulse.next(replies);
      if (!reply) throw calls.streamError(member, new Silence(0));
      if (reply.canceled) throw canceled(reply, member.address);
      if (reply.created) yield { revision: fromRevision - 1, changes: [] };
      const changes = revisions.add(reply);
      if (changes) yield changes;
    }
  } catch (error) {
    if (error instanceof Denied || error instanceof EtcdCompacted || error instanceof LayerpullError)
      throw error;
    throw calls.streamError(member, error);
  } finally {
    pulse.stop();
  }
}

/** etcd refused the watch: who asks may not read these keys, or has an old token. */
class Denied extends Error {}

function canceled({ compactRevision, cancelReason }: WatchReply, address: string): Error {
  if (compactRevision > 0 || cancelReason.includes('compacted')) return new EtcdCompacted();
  const reason = cancelReason.replace(/^.*etcdserver: /, '') || 'without a reason';
  if (/permission denied|auth|user name is empty/.test(reason)) return new Denied(reason);
  return new LayerpullError('etcd_unreachable', `etcd at ${address} ended a watch: ${reason}`);
}
