import type { Digest } from '../../../core/digest.ts';
import type { SessionId } from '../../../core/ids.ts';
import type { OperationType, ResourceEvent, SessionEvent } from '../../locks.ts';
import type { Replies } from '../../machine/commands.ts';
import { currentNews } from '../../read-model.ts';
import { type Channel, createChannel } from '../engine/channel.ts';
import { known } from '../engine/refusals.ts';
import type { Life } from './life.ts';

/** The events of one session, from its place in the order of the cluster on. */
export async function* listenToSession(
  current: () => Life,
  sessionId: SessionId,
  signal: AbortSignal,
): AsyncGenerator<SessionEvent, void, undefined> {
  if (signal.aborted) return;
  const life = current();
  const channel = createChannel<SessionEvent>();
  const { opened, close } = open(life, channel, {
    command: { kind: 'stream-opened', sessionId },
    add: (reply) => {
      if ((reply as Replies['stream-opened']).kind !== 'snapshot') return false;
      life.copy.watchers.addSession(sessionId, channel);
      return true;
    },
    remove: () => life.copy.watchers.removeSession(sessionId, channel),
    // A session that ended took its streams with it; the one that has its id since has others.
    farewell: () => (channel.wasEnded() ? undefined : { kind: 'stream-closed', sessionId }),
  });
  signal.addEventListener('abort', channel.stop, { once: true });
  try {
    const { snapshot } = known((await opened) as Replies['stream-opened']);
    yield { kind: 'snapshot' as const, ...snapshot };
    for (let batch = await channel.next(); batch; batch = await channel.next()) yield* batch;
  } finally {
    signal.removeEventListener('abort', channel.stop);
    close();
  }
}

/** What older clients are told of one resource. */
export async function* listenToResource(
  current: () => Life,
  type: OperationType,
  resourceId: Digest,
  signal: AbortSignal,
): AsyncGenerator<ResourceEvent, void, undefined> {
  if (signal.aborted) return;
  const life = current();
  const channel = createChannel<ResourceEvent>();
  const { opened, close } = open(life, channel, {
    command: { kind: 'listener-opened', resourceId },
    add: () => {
      const { cluster, teller, watchers } = life.copy;
      for (const news of currentNews(cluster.machine, type, resourceId, cluster.atMs))
        channel.push(teller.withWallTime(news));
      watchers.addResource(type, resourceId, channel);
      return true;
    },
    remove: () => life.copy.watchers.removeResource(type, resourceId, channel),
    farewell: () => ({ kind: 'listener-closed', resourceId }),
  });
  signal.addEventListener('abort', channel.stop, { once: true });
  try {
    await opened;
    for (let batch = await channel.next(); batch; batch = await channel.next()) yield* batch;
  } finally {
    signal.removeEventListener('abort', channel.stop);
    close();
  }
}

interface Opening {
  readonly command: Parameters<Life['submit']>[0];
  /** Listens from this very place on; false when there is nothing to listen to. */
  readonly add: (reply: unknown) => boolean;
  readonly remove: () => void;
  /** What tells the cluster that nobody listens any more. */
  readonly farewell: () => Parameters<Life['submit']>[0] | undefined;
}

/**
 * Whoever opens a stream may go before its turn comes: then it is closed as soon as it is open, for the cluster counts
 * it.
 */
function open(
  life: Life,
  channel: Pick<Channel<never>, 'stop'>,
  { command, add, remove, farewell }: Opening,
) {
  let state: 'asked' | 'open' | 'closed' = 'asked';
  const bye = () => {
    const last = farewell();
    if (last) life.tell(last);
  };
  const opened = life.submit(command, (reply) => {
    if (!add(reply)) return;
    if (state === 'closed') {
      remove();
      bye();
    } else state = 'open';
  });
  const close = () => {
    channel.stop();
    const wasOpen = state === 'open';
    state = 'closed';
    if (!wasOpen) return;
    remove();
    bye();
  };
  return { opened, close };
}
