import { describe, expect, it } from 'vitest';
import { type Digest, digestOf } from '../../../src/core/digest.ts';
import { toNodeId, toSessionId } from '../../../src/core/ids.ts';
import type { Log } from '../../../src/core/log.ts';
import { createMemoryLocks, type MemoryLocksOptions } from '../../../src/lock/backends/memory.ts';
import type { Locks, SessionEvent } from '../../../src/lock/locks.ts';
import { createFakeClock, settle } from '../../support/fake-clock.ts';

const layer: Digest = digestOf(Buffer.from('layer'));
const otherLayer: Digest = digestOf(Buffer.from('another layer'));
const sessionId = toSessionId('session-a');
const a = { type: 'pull' as const, resourceId: layer, nodeId: toNodeId('a'), sessionId };
const older = (name: string) => ({ type: 'pull' as const, resourceId: layer, nodeId: toNodeId(name) });

function createStage(options: Partial<MemoryLocksOptions> = {}) {
  const clock = createFakeClock();
  const lines: { level: string; fields: object; message: string }[] = [];
  const write = (level: string) => (fields: object, message: string) =>
    void lines.push({ level, fields, message });
  const log: Log = {
    ...{ debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') },
  };
  const locks = createMemoryLocks({ clock, log, recoveryMs: 0, ...options });
  const open = () => locks.openSession({ sessionId, nodeId: a.nodeId });
  const watch = (signal = new AbortController().signal) =>
    locks.watch(sessionId, signal)[Symbol.asyncIterator]();
  return { clock, lines, locks, open, watch };
}

/** Tells session a more than its stream has room for. */
async function overrun(locks: Locks): Promise<void> {
  for (let round = 0; round < 1_001; round += 1) {
    await locks.acquire({ ...older('b'), force: true });
    await locks.acquire({ ...a, force: true });
    await locks.decline(a);
    await locks.release({ ...older('b'), outcome: { success: false, error: 'x', class: 'node' } });
  }
}

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'nothing thrown',
    (error: { code?: string }) => error.code,
  );

describe('the lock service in memory', () => {
  it('writes one structured line for each thing that happens to a lock', async () => {
    const { clock, lines, locks, open } = createStage();
    await open();
    await locks.acquire(a);
    await clock.advance(100);
    await locks.acquire(older('b'));
    await locks.release({ ...a, outcome: { success: false, error: 'disk full', class: 'node' } });
    await locks.release({ ...older('b'), outcome: { success: true } });
    await locks.acquire(a);
    const place = { resource: layer, domain: 'default', type: 'pull' };
    expect(lines.map(({ fields }) => fields)).toMatchObject([
      { event: 'granted', node: 'a', session: sessionId, token: 1, waitedMs: 0, ...place },
      { event: 'queued', node: 'b', position: 1, ...place },
      { event: 'released', node: 'a', token: 1, success: false, error: 'disk full', heldMs: 100, ...place },
      { event: 'granted', node: 'b', token: 2, ...place },
      { event: 'released', node: 'b', token: 2, success: true, ...place },
      { event: 'skipped', node: 'a', session: sessionId, ...place },
    ]);
    expect(lines.every(({ level }) => level === 'info')).toBe(true);
  });

  it('warns when it takes a lock from somebody, and says why', async () => {
    const { clock, lines, locks, open } = createStage();
    await open();
    await locks.acquire(a);
    await clock.advance(16_000);
    expect(lines.at(-1)).toMatchObject({
      level: 'warn',
      message: 'lock reclaimed',
      fields: { event: 'reclaimed', node: 'a', reason: 'no heartbeat for 15 s' },
    });
  });

  it('breaks the stream of a reader that falls behind, and starts it over with a snapshot', async () => {
    const { locks, open, watch } = createStage();
    await open();
    const slow = watch();
    await slow.next();
    await overrun(locks);
    expect(await codeOf(slow.next())).toBe('lock_unreachable');
    expect((await watch().next()).value).toEqual({ kind: 'snapshot', granted: [], queued: [] });
  });

  it('tells of new positions once a second at most, and never ahead of a grant', async () => {
    const { clock, locks, open, watch } = createStage();
    await open();
    const stream = watch();
    await stream.next();
    for (const name of ['b', 'c', 'd', 'e']) await locks.acquire(older(name));
    await locks.acquire(a);
    for (const name of ['b', 'c', 'd']) {
      await locks.release({ ...older(name), outcome: { success: false, error: 'x', class: 'node' } });
    }
    await clock.advance(1_000);
    await locks.release({ ...older('e'), outcome: { success: false, error: 'x', class: 'node' } });
    await clock.advance(1_000);
    await locks.close();
    const events: SessionEvent[] = [];
    for await (const event of { [Symbol.asyncIterator]: () => stream }) events.push(event);
    expect(events).toMatchObject([
      { kind: 'queued', position: 4 },
      { kind: 'queued', position: 1, holder: { nodeId: 'e' } },
      { kind: 'granted', waiters: 0 },
    ]);
  });

  it('does not take the late end of an old stream for a break of the session that came back', async () => {
    const { clock, locks, open, watch } = createStage();
    await open();
    const old = watch();
    await old.next();
    await locks.closeSession(sessionId);
    await open();
    const fresh = watch();
    await fresh.next();
    expect((await old.next()).done).toBe(true);
    await clock.advance(10_000);
    expect(locks.sessionCount()).toBe(1);
  });

  it('does not take the late end of a reader that fell behind for a break either', async () => {
    const { clock, locks, open, watch } = createStage();
    await open();
    const slow = watch();
    await slow.next();
    await overrun(locks);
    await locks.closeSession(sessionId);
    await open();
    const fresh = watch();
    await fresh.next();
    expect(await codeOf(slow.next())).toBe('lock_unreachable');
    await clock.advance(10_000);
    expect(locks.sessionCount()).toBe(1);
  });

  it('registers nobody who never reads', async () => {
    const { clock, locks, open } = createStage();
    await open();
    locks.watch(sessionId, new AbortController().signal);
    locks.watchResource('pull', layer, new AbortController().signal);
    await clock.advance(16_000);
    expect(locks.sessionCount()).toBe(0);
  });

  it('lets go of a request that is aborted while the service recovers', async () => {
    const { clock, locks } = createStage({ recoveryMs: 1_000 });
    const giveUp = new AbortController();
    const asked = locks.acquire(older('a'), giveUp.signal);
    const reason = new Error('enough');
    giveUp.abort(reason);
    await expect(asked).rejects.toBe(reason);
    await clock.advance(1_500);
    expect(await locks.acquire(older('b'))).toMatchObject({ kind: 'granted' });
  });

  it('answers those who asked while it recovered in the order in which they came', async () => {
    const { clock, locks } = createStage({ recoveryMs: 1_000 });
    const replies = [];
    for (const name of ['b', 'c', 'd']) {
      await clock.advance(200);
      replies.push(locks.acquire(older(name)));
    }
    await clock.advance(1_000);
    const [b, c, d] = await Promise.all(replies);
    expect(b).toMatchObject({ kind: 'granted' });
    expect([c, d]).toMatchObject([{ position: 1 }, { position: 2 }]);
  });

  it('lets go of those who wait for the end of a recovery when it is closed', async () => {
    const { clock, locks } = createStage({ recoveryMs: 1_000 });
    const asked = codeOf(locks.acquire(older('b')));
    await clock.advance(100);
    await locks.close();
    expect(await asked).toBe('lock_unreachable');
    expect(clock.pending()).toBe(0);
    expect(await codeOf(locks.acquire(older('c')))).toBe('lock_unreachable');
  });

  it('warns of a refusal, and writes down who was answered while waiting', async () => {
    const { lines, locks } = createStage({ maxQueue: 1 });
    for (const name of ['b', 'c', 'd']) await locks.acquire(older(name));
    expect(lines.at(-1)).toMatchObject({ level: 'warn', fields: { event: 'refused', node: 'd' } });
    await locks.release({ ...older('b'), outcome: { success: true } });
    expect(lines.at(-1)).toMatchObject({
      level: 'info',
      fields: { event: 'skipped', node: 'c', waitedMs: 0 },
    });
  });

  it('ends a stream at once when its reader goes away, also in the middle of waiting', async () => {
    const { clock, locks, open, watch } = createStage();
    await open();
    const leaving = new AbortController();
    const stream = watch(leaving.signal);
    await stream.next();
    const waiting = stream.next();
    await settle();
    leaving.abort();
    expect((await waiting).done).toBe(true);
    await locks.acquire({ ...older('b'), resourceId: otherLayer });
    await clock.advance(5_500);
    expect(locks.sessionCount()).toBe(0);
  });

  it('stops its timers when it is closed', async () => {
    const { clock, locks } = createStage();
    expect(clock.pending()).toBeGreaterThan(0);
    await locks.close();
    expect(clock.pending()).toBe(0);
  });

  it('rejects options that contradict each other', () => {
    expect(() => createStage({ heartbeatMs: 20_000 })).toThrow('heartbeatMs');
  });
});
