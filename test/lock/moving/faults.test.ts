import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { forMany } from '../../../src/core/abort.ts';
import type { LayerpullError } from '../../../src/core/errors.ts';
import type { Hold, LayerAcquire } from '../../../src/lock/locks.ts';
import type { LockSession } from '../../../src/lock/session.ts';
import { blobOf } from '../../support/blobs.ts';
import { type LockCluster, startLockCluster } from '../../support/lock-cluster.ts';
import { patienceMs } from '../../support/patience.ts';

const layers = ['one', 'two', 'three'].map((name): LayerAcquire => {
  const { digest, size } = blobOf(name);
  return { type: 'update', resourceId: digest, total: size };
});

/** Numbers that look like chance and are the same with each run. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

/** Freezes one server after the other for a dozen grants, and cuts those who are at the next one when that is over. */
function trouble({ servers }: LockCluster, grants: number): void {
  const turn = Math.floor(grants / 24);
  const [one, next] = [servers[turn % servers.length], servers[(turn + 1) % servers.length]];
  if (grants % 24 === 0) one?.freeze();
  if (grants % 24 !== 12) return;
  one?.thaw();
  next?.cut();
}

async function lockOf(session: LockSession, layer: LayerAcquire, signal: AbortSignal): Promise<Hold> {
  for (;;) {
    const reply = await session.acquire(layer, signal);
    if (reply.kind === 'granted') return reply.hold;
    if (reply.kind !== 'queued') throw new Error(`expected a lock or a place, got ${reply.kind}`);
    while ((await reply.place.next(signal)).kind === 'moved');
  }
}

describe('sessions at three servers that are cut and frozen in turn', () => {
  it.each([1, 2])('have each lock one at a time, in the order of its tokens (seed %i)', async (seed) => {
    const cluster = await startLockCluster(3, { heartbeatMs: 500 });
    const signal = forMany([AbortSignal.timeout(2 * patienceMs)]);
    const warnings: LayerpullError[] = [];
    const onWarning = (warning: LayerpullError) => void warnings.push(warning);
    // What a busy machine needs for all of them is no time out of reach.
    const bounds = { firstContactMs: 30_000, outOfReachMs: 30_000 };
    const sessions = Array.from({ length: 12 }, (_, index) =>
      cluster.open(`node-${index}`, { onWarning, bounds }, { random: numbers(seed * 100 + index + 1) }),
    );
    const holders = new Map<string, string>();
    const tokens = new Map<string, number[]>();
    let grants = 0;
    const work = async (session: LockSession) => {
      for (let round = 0; round < 4; round += 1) {
        for (const layer of layers) {
          const hold = await lockOf(session, layer, signal);
          const { resourceId } = layer;
          expect(holders.get(resourceId)).toBeUndefined();
          holders.set(resourceId, session.sessionId);
          tokens.set(resourceId, [...(tokens.get(resourceId) ?? []), hold.token ?? 0]);
          grants += 1;
          trouble(cluster, grants);
          await nextTurn();
          expect(hold.revoked.aborted).toBe(false);
          holders.delete(resourceId);
          await hold.release({ success: true });
        }
      }
    };
    await Promise.all(sessions.map(work));
    expect(warnings).toEqual([]);
    for (const given of tokens.values()) {
      expect(given).toHaveLength(48);
      expect(given).toEqual(given.toSorted((one, other) => one - other));
      expect(new Set(given).size).toBe(48);
    }
    await expect.poll(() => cluster.service.counts()).toMatchObject({ sessions: 12, held: 0, waiting: 0 });
  });
});
