import { type Digest, digestOf } from '../../../src/core/digest.ts';
import type {
  Hold,
  LayerAcquire,
  LayerReply,
  Outcome,
  Place,
  SessionLocks,
} from '../../../src/lock/locks.ts';

const resources: readonly Digest[] = [digestOf(Buffer.from('0')), digestOf(Buffer.from('1'))];

/** One task that wants a resource through a session, and behaves as the layer hook does. */
export interface User {
  readonly session: SessionLocks;
  readonly resourceId: Digest;
  /** What it holds now, and its owner has not ended. */
  hold(): Hold | undefined;
  /** Ends the hold if there is one. */
  finish(outcome: Outcome): void;
  cancel(): void;
  isDone(): boolean;
  /** Why it failed, unless it was cancelled or its session was closed. */
  problem(): unknown;
}

export function startUser(session: SessionLocks, resource: number): User {
  const resourceId = resources[resource % resources.length] as Digest;
  const request: LayerAcquire = { type: 'pull', resourceId, total: 1_000 };
  const stop = new AbortController();
  let hold: Hold | undefined;
  let finished: ((outcome: Outcome) => void) | undefined;
  let isDone = false;
  let problem: unknown;

  const use = async (granted: Hold): Promise<'done' | 'again'> => {
    hold = granted;
    const outcome = await new Promise<Outcome | undefined>((resolve) => {
      finished = resolve;
      const cancelled = { success: false, error: 'cancelled', class: 'node' } as const;
      stop.signal.addEventListener('abort', () => resolve(cancelled), { once: true });
      granted.revoked.addEventListener('abort', () => resolve(undefined), { once: true });
      if (stop.signal.aborted) resolve(cancelled);
    });
    hold = undefined;
    if (!outcome) return 'again';
    await granted.release(outcome);
    return 'done';
  };
  const wait = async (place: Place): Promise<'done' | 'again'> => {
    for (;;) {
      const change = await place.next(stop.signal);
      if (change.kind === 'left') return await use(change.hold);
      if (change.kind !== 'moved') return 'again';
    }
  };
  const act = async (reply: LayerReply): Promise<'done' | 'again'> => {
    if (reply.kind === 'granted') return await use(reply.hold);
    return reply.kind === 'queued' ? await wait(reply.place) : 'done';
  };
  const run = async () => {
    while ((await act(await session.acquire(request, stop.signal))) === 'again');
  };
  run()
    .catch((error) => {
      if (!stop.signal.aborted && error?.code !== 'lock_lost') problem = error;
    })
    .finally(() => {
      isDone = true;
    });
  return {
    ...{ session, resourceId },
    hold: () => (hold?.revoked.aborted ? undefined : hold),
    finish: (outcome) => finished?.(outcome),
    cancel: () => stop.abort(new Error('cancelled')),
    isDone: () => isDone,
    problem: () => problem,
  };
}
