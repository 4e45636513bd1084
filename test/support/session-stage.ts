import { onTestFinished } from 'vitest';
import type { LayerpullError } from '../../src/core/errors.ts';
import { toNodeId, toStoreId } from '../../src/core/ids.ts';
import type { Hold, LayerAcquire, LayerReply, Place, SessionLocks } from '../../src/lock/locks.ts';
import { type LockSession, type LockSessionOptions, openLockSession } from '../../src/lock/session.ts';
import { blobOf } from './blobs.ts';
import { createFakeClock, type FakeClock } from './fake-clock.ts';
import { createRestartableLocks, type RestartableLocks } from './restartable-locks.ts';

const blob = blobOf('a layer');
/** The pull of one layer. */
export const layerRequest = { type: 'pull', resourceId: blob.digest, total: blob.size } as const;
export const never = new AbortController().signal;
export const success = { success: true } as const;
export const failure = { success: false, error: 'disk full', class: 'node' } as const;

export interface SessionStage {
  readonly clock: FakeClock;
  readonly locks: RestartableLocks;
  readonly warnings: LayerpullError[];
  /** A session of the store that all share; closed when the test ends. Jitter is in its middle. */
  open(node: string, options?: Partial<LockSessionOptions>): LockSession;
  /** An acquire that may need the clock to go on. */
  ask(session: SessionLocks, request?: LayerAcquire): Promise<LayerReply>;
}

/** Sessions at a lock service in memory, over a line that a test can cut. */
export function createSessionStage(): SessionStage {
  const clock = createFakeClock();
  const locks = createRestartableLocks(clock);
  const warnings: LayerpullError[] = [];
  const open: SessionStage['open'] = (name, options = {}) => {
    const session = openLockSession({
      ...{ locks, clock, random: () => 0.5, nodeId: toNodeId(name), storeId: toStoreId('store') },
      onWarning: (warning) => warnings.push(warning),
      ...options,
    });
    onTestFinished(async () => {
      const closing = session.close();
      await clock.advance(2_000);
      await closing;
    });
    return session;
  };
  const ask: SessionStage['ask'] = async (session, request = layerRequest) => {
    const asked = session.acquire(request, never);
    asked.catch(() => {});
    await clock.advance(0);
    return await asked;
  };
  return { clock, locks, warnings, open, ask };
}

export function holdOf(reply: LayerReply): Hold {
  if (reply.kind !== 'granted') throw new Error(`expected a grant, got ${reply.kind}`);
  return reply.hold;
}

export function placeOf(reply: LayerReply): Place {
  if (reply.kind !== 'queued') throw new Error(`expected a place, got ${reply.kind}`);
  return reply.place;
}
