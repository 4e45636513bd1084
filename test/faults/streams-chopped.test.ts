import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { digestOf } from '../../src/core/digest.ts';
import { type SessionId, toNodeId } from '../../src/core/ids.ts';
import { createHttpLocks } from '../../src/lock/backends/http/http-locks.ts';
import type { Locks, SessionEvent } from '../../src/lock/locks.ts';
import { onCleanup } from '../support/cleanup.ts';
import { startServer } from '../support/pulls.ts';
import { inPieces, startStreamProxy } from '../support/stream-proxy.ts';

const resourceOf = (layer: string) => digestOf(Buffer.from(layer));
const success = { success: true } as const;
const failure = { success: false, error: 'failed on purpose', class: 'node' } as const;

function connect(url: string): Locks {
  const locks = createHttpLocks({ servers: [new URL(url)], version: 'test', clock: systemClock });
  onCleanup(() => locks.close());
  return locks;
}

/** Reads the events of a session, pings left out. */
function listen(locks: Locks, sessionId: SessionId) {
  const stop = new AbortController();
  onCleanup(() => stop.abort());
  const events: SessionEvent[] = [];
  const read = async () => {
    for await (const event of locks.watch(sessionId, stop.signal)) {
      if (event.kind !== 'ping') events.push(event);
    }
  };
  void read();
  return events;
}

/** A holder and a listener that waits, on as many layers: half of them end well, half are handed over. */
async function keepBusy(locks: Locks, sessionId: SessionId, layers: readonly string[]): Promise<void> {
  const { sessionId: other } = await locks.openSession({ nodeId: toNodeId('holder') });
  for (const [index, layer] of layers.entries()) {
    const about = { type: 'pull', resourceId: resourceOf(layer) } as const;
    const held = { ...about, nodeId: toNodeId('holder'), sessionId: other };
    await locks.acquire(held);
    await locks.acquire({ ...about, nodeId: toNodeId('listener'), sessionId });
    await locks.release({ ...held, outcome: index % 2 === 0 ? success : failure });
  }
}

describe('an event stream', () => {
  it.each([
    { size: 'one by one', maxBytes: 1 },
    { size: 'in pieces of any size', maxBytes: 40 },
  ])('whose bytes come $size says the same as one that comes whole', async ({ maxBytes }) => {
    const { url } = await startServer();
    const proxy = await startStreamProxy(url, inPieces(Math.random, maxBytes));
    const [direct, chopped] = [connect(url), connect(proxy.url)];
    const { sessionId } = await direct.openSession({ nodeId: toNodeId('listener') });
    const [whole, pieces] = [listen(direct, sessionId), listen(chopped, sessionId)];
    for (const events of [whole, pieces]) {
      await expect.poll(() => events[0]).toEqual({ kind: 'snapshot', granted: [], queued: [] });
    }
    const layers = Array.from({ length: 20 }, (_, index) => `layer ${index} of a café`);
    await keepBusy(direct, sessionId, layers);
    // Each layer tells a place and an end.
    await expect.poll(() => pieces.length).toBe(1 + layers.length * 2);
    expect(pieces).toEqual(whole);
  });
});
