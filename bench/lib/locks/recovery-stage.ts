import { randomUUID } from 'node:crypto';
import { systemClock } from '../../../src/core/clock.ts';
import { parseDigest } from '../../../src/core/digest.ts';
import { toNodeId, toStoreId } from '../../../src/core/ids.ts';
import { createHttpLocks } from '../../../src/lock/backends/http/http-locks.ts';
import type { Hold, LayerReply } from '../../../src/lock/locks.ts';
import { openLockSession } from '../../../src/lock/session.ts';
import { digest, within } from './many.ts';

/** A node as `layerpull` is one: with all its patience, and every server it may go to. */
export interface RealNode {
  hold(layer: number): Promise<Hold>;
  /** Takes a place; resolves to when the lock is its own (`performance.now`). */
  waitFor(layer: number): Promise<{ readonly granted: Promise<number> }>;
  close(): Promise<void>;
}

const patienceMs = 60_000;
const forever = new AbortController().signal;

/** @param urls the first is the one that it begins with */
export function openRealNode(name: string, urls: readonly string[]): RealNode {
  const locks = createHttpLocks({
    servers: urls.map((url) => new URL(url)),
    version: '0.0.0',
    clock: systemClock,
    random: inOrderAtFirst(urls.length),
  });
  const nodeId = toNodeId(`${name}-${randomUUID()}`);
  const session = openLockSession({ locks, clock: systemClock, nodeId, storeId: toStoreId('bench') });
  const ask = (layer: number): Promise<LayerReply> => {
    const resourceId = parseDigest(digest(layer));
    const asked = session.acquire({ type: 'update', resourceId, total: 1 }, forever);
    return within(patienceMs, 'an answer to a request for a lock', asked);
  };
  const untilGranted = async (layer: number, reply: LayerReply): Promise<number> => {
    let last = reply;
    while (last.kind === 'queued') {
      const change = await within(patienceMs, 'a grant', last.place.next(forever));
      if (change.kind === 'left') throw new Error('a waiter went on without a lock');
      if (change.kind !== 'moved') last = await ask(layer);
    }
    if (last.kind !== 'granted' || last.hold.token === undefined)
      throw new Error(`a waiter was ${last.kind}`);
    const atMs = performance.now();
    await last.hold.release({ success: true });
    return atMs;
  };
  return {
    hold: async (layer) => {
      const reply = await ask(layer);
      if (reply.kind === 'granted' && reply.hold.token !== undefined) return reply.hold;
      throw new Error(`a free lock was ${reply.kind}`);
    },
    waitFor: async (layer) => {
      const reply = await ask(layer);
      if (reply.kind !== 'queued') throw new Error(`a place was expected: ${reply.kind}`);
      return { granted: untilGranted(layer, reply) };
    },
    close: async () => {
      await session.close();
      await locks.close();
    },
  };
}

/** Clients spread over servers by chance; which one is killed has to be known here. */
function inOrderAtFirst(servers: number): () => number {
  let asked = 0;
  return () => {
    asked += 1;
    return asked <= servers ? 0 : Math.random();
  };
}
