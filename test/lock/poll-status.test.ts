import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { digestOf } from '../../src/core/digest.ts';
import { toNodeId } from '../../src/core/ids.ts';
import { createHttpLocks } from '../../src/lock/backends/http/http-locks.ts';
import { createMemoryLocks } from '../../src/lock/backends/memory.ts';
import type { Locks } from '../../src/lock/locks.ts';
import { acquireByPolling, type PolledReply } from '../../src/lock/poll-status.ts';
import { onCleanup } from '../support/cleanup.ts';
import { createFakeClock, settle } from '../support/fake-clock.ts';
import { forwardingLocks } from '../support/forwarding-locks.ts';
import { patienceMs } from '../support/patience.ts';
import { serve, stopServers } from './server/support.ts';

const layer = digestOf(Buffer.from('layer'));
const older = (name: string, type: 'pull' | 'delete' = 'pull') => {
  return { type, resourceId: layer, nodeId: toNodeId(name) };
};
const failed = { success: false, error: 'disk full', class: 'node' } as const;
const wrong = { success: false, error: 'wrong bytes', class: 'content' } as const;
const success = { success: true } as const;

interface Polling {
  reply?: PolledReply;
  error?: unknown;
}

function createStage() {
  const clock = createFakeClock();
  const locks = createMemoryLocks({ clock, recoveryMs: 0 });
  const poll = (name: string, over: Locks = locks, signal = new AbortController().signal): Polling => {
    const seen: Polling = {};
    acquireByPolling(older(name), { locks: over, clock, signal }).then(
      (reply) => {
        seen.reply = reply;
      },
      (error) => {
        seen.error = error;
      },
    );
    return seen;
  };
  return { clock, locks, poll };
}

describe('a client that polls', () => {
  it('gets a free lock at once, and is told to skip what is done', async () => {
    const { clock, locks, poll } = createStage();
    const first = poll('a');
    await settle();
    expect(first.reply).toMatchObject({ kind: 'granted', token: 1 });
    await locks.release({ ...older('a'), outcome: success });
    const second = poll('b');
    await settle();
    expect(second.reply).toMatchObject({ kind: 'skip', by: { nodeId: 'a' } });
    expect(clock.pending()).toBe(3);
  });

  it('gets the lock within half a second after it was handed over', async () => {
    const { clock, locks, poll } = createStage();
    await locks.acquire(older('a'));
    const second = poll('b');
    await clock.advance(20_000);
    expect(second.reply).toBeUndefined();
    await locks.release({ ...older('a'), outcome: failed });
    await clock.advance(500);
    expect(second.reply).toMatchObject({ kind: 'granted', token: 2 });
  });

  it('keeps its place, first come first served', async () => {
    const { clock, locks, poll } = createStage();
    await locks.acquire(older('a'));
    const waiting = ['b', 'c', 'd'].map((name) => poll(name));
    await clock.advance(60_000);
    expect((await locks.list({}))[0]?.queue.map(({ nodeId }) => nodeId)).toEqual(['b', 'c', 'd']);
    await locks.release({ ...older('a'), outcome: success });
    await clock.advance(500);
    expect(waiting.map(({ reply }) => reply?.kind)).toEqual(['skip', 'skip', 'skip']);
  });

  it('is told the error that concerns all who wait', async () => {
    const { clock, locks, poll } = createStage();
    await locks.acquire(older('a'));
    const second = poll('b');
    await settle();
    await locks.release({ ...older('a'), outcome: wrong });
    await clock.advance(500);
    expect(second.reply).toEqual({ kind: 'failed', error: 'wrong bytes' });
  });

  it('asks again when the server has forgotten everything', async () => {
    const { clock, locks, poll } = createStage();
    let service: Locks = locks;
    const moving = forwardingLocks(() => service);
    await locks.acquire(older('a'));
    const second = poll('b', moving);
    await clock.advance(600);
    service = createMemoryLocks({ clock, recoveryMs: 0 });
    await clock.advance(500);
    expect(second.reply).toMatchObject({ kind: 'granted' });
  });

  it('stops with the reason of its signal, and gives its place up', async () => {
    const { clock, locks, poll } = createStage();
    await locks.acquire(older('a'));
    const stop = new AbortController();
    const second = poll('b', locks, stop.signal);
    await clock.advance(1_200);
    expect(await locks.list({})).toMatchObject([{ queue: [{ nodeId: 'b' }] }]);
    const reason = new Error('enough');
    stop.abort(reason);
    await settle();
    expect(second.error).toBe(reason);
    expect(await locks.list({})).toMatchObject([{ queue: [] }]);
  });

  it('throws what the service throws', async () => {
    const { poll, locks } = createStage();
    const broken = new Error('broken');
    const over: Locks = {
      ...forwardingLocks(() => locks),
      acquire: async () => {
        throw broken;
      },
    };
    const first = poll('a', over);
    await settle();
    expect(first.error).toBe(broken);
  });
});

describe('a client that polls over HTTP', () => {
  afterEach(stopServers);

  it('gets the lock when it is handed over, and is told to skip when it is done', async () => {
    const { clock: serverClock, locks: service } = createStage();
    const { url } = await serve(service);
    const locks = createHttpLocks({ servers: [new URL(url)], version: '0.0.0', clock: systemClock });
    onCleanup(() => locks.close());
    const signal = AbortSignal.timeout(patienceMs);
    const options = { locks, clock: systemClock, intervalMs: 5, signal };
    await service.acquire(older('a'));
    const [second, third] = [acquireByPolling(older('b'), options), acquireByPolling(older('c'), options)];
    await expect.poll(async () => (await service.list({}))[0]?.queue.length).toBe(2);
    await service.release({ ...older('a'), outcome: failed });
    const [winner, loser, granted] = await Promise.race([
      second.then((reply) => ['b', third, reply] as const),
      third.then((reply) => ['c', second, reply] as const),
    ]);
    expect(granted).toMatchObject({ kind: 'granted', token: 2, source: { kind: 'registry' } });
    await service.release({ ...older(winner), outcome: success });
    expect(await loser).toMatchObject({ kind: 'skip', by: { nodeId: winner } });
    expect(serverClock.now()).toBe(0);
  });
});
