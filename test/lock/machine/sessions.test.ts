import { describe, expect, it } from 'vitest';
import { type SessionId, toNodeId, toStoreId, toToken } from '../../../src/core/ids.ts';
import type { HeldProgress } from '../../../src/lock/locks.ts';
import { createRig, layer, otherLayer, type Rig, sessionOf } from './support.ts';

const held = (token: number): HeldProgress => ({
  ...{ type: 'pull', resourceId: layer, offset: 1, total: 9 },
  token: toToken(token),
});

/** It holds a lock, and its stream was there and broke. */
function holdAndCut(rig: Rig, node: string, store: string): SessionId {
  const sessionId = rig.open(node, { store });
  rig.acquire(node);
  rig.run({ kind: 'stream-opened', sessionId });
  rig.run({ kind: 'stream-closed', sessionId });
  return sessionId;
}

/** A session of another process of the node. */
function again(node: string, store: string) {
  const request = { sessionId: sessionOf('again'), nodeId: toNodeId(node), storeId: toStoreId(store) };
  return { request, isReturning: false };
}

describe('a session', () => {
  it('lives by heartbeats: other requests do not replace them', () => {
    const rig = createRig();
    rig.open('a');
    for (let passedMs = 0; passedMs < 15_000; passedMs += 3_000) {
      rig.acquire('a');
      rig.pass(3_000);
    }
    expect(rig.state.sessions.size).toBe(0);
    expect(rig.holder()).toBeUndefined();
  });

  it('is lost after the grace when its stream broke and no request came', () => {
    const rig = createRig();
    const sessionId = rig.open('a');
    rig.run({ kind: 'stream-opened', sessionId });
    rig.acquire('a');
    rig.run({ kind: 'stream-closed', sessionId });
    rig.pass(4_500);
    expect(rig.holder()).toBe('a');
    rig.pass(500);
    expect(rig.holder()).toBeUndefined();
    expect(rig.events).toContainEqual({ kind: 'session-ended', sessionId });
  });

  it('is lost sooner where its node has started again on the same store', () => {
    const rig = createRig();
    const sessionId = holdAndCut(rig, 'a', 'store');
    rig.run({ kind: 'open-session', ...again('a', 'store') });
    rig.pass(1_250);
    expect(rig.holder('store')).toBe('a');
    rig.pass(250);
    expect(rig.holder('store')).toBeUndefined();
    expect(rig.events).toContainEqual({ kind: 'session-ended', sessionId });
  });

  it.each([
    ['another store', (rig: Rig) => rig.run({ kind: 'open-session', ...again('a', 'elsewhere') })],
    ['another node of its store', (rig: Rig) => rig.run({ kind: 'open-session', ...again('b', 'store') })],
    ['a session of its node that was there before', (rig: Rig) => rig.renew('again')],
  ])('is not lost sooner because of %s', (_, come) => {
    const rig = createRig();
    rig.run({ kind: 'open-session', ...again('a', 'store') });
    rig.pass(1);
    holdAndCut(rig, 'a', 'store');
    come(rig);
    rig.pass(4_000);
    expect(rig.holder('store')).toBe('a');
  });

  it('is not lost because its node has another one, while it is heard of', () => {
    const rig = createRig();
    holdAndCut(rig, 'a', 'store');
    rig.run({ kind: 'open-session', ...again('a', 'store') });
    rig.pass(1_000);
    rig.renew('a');
    rig.pass(4_000);
    expect(rig.holder('store')).toBe('a');
    // Nor sooner when it is cut again, after that one came.
    rig.run({ kind: 'stream-opened', sessionId: sessionOf('a') });
    rig.run({ kind: 'stream-closed', sessionId: sessionOf('a') });
    rig.pass(4_000);
    expect(rig.holder('store')).toBe('a');
  });

  it.each([
    ['a heartbeat', (rig: ReturnType<typeof createRig>) => rig.renew('a')],
    ['an acquire', (rig: ReturnType<typeof createRig>) => rig.acquire('a', { resourceId: otherLayer })],
    [
      'a new stream',
      (rig: ReturnType<typeof createRig>) => rig.run({ kind: 'stream-opened', sessionId: sessionOf('a') }),
    ],
    ['opening it again', (rig: ReturnType<typeof createRig>) => rig.open('a')],
  ])('survives a broken stream with %s within the grace', (_, ask) => {
    const rig = createRig();
    const sessionId = rig.open('a');
    rig.run({ kind: 'stream-opened', sessionId });
    rig.run({ kind: 'stream-closed', sessionId });
    rig.pass(4_000);
    ask(rig);
    rig.pass(10_000);
    expect(rig.state.sessions.has(sessionId)).toBe(true);
  });

  it('with two streams is not cut while one is open', () => {
    const rig = createRig();
    const sessionId = rig.open('a');
    rig.run({ kind: 'stream-opened', sessionId });
    rig.run({ kind: 'stream-opened', sessionId });
    rig.run({ kind: 'stream-closed', sessionId });
    rig.pass(10_000);
    expect(rig.state.sessions.has(sessionId)).toBe(true);
  });

  it('that never had a stream is not cut', () => {
    const rig = createRig();
    const sessionId = rig.open('a');
    rig.pass(14_000);
    expect(rig.state.sessions.has(sessionId)).toBe(true);
  });

  it('gets one more TTL when the service itself was stopped', () => {
    const rig = createRig();
    const sessionId = rig.open('a');
    rig.run({ kind: 'stream-opened', sessionId });
    rig.run({ kind: 'stream-closed', sessionId });
    rig.acquire('older');
    rig.acquire('waiting');
    rig.pass(1_000);
    rig.stall(60_000);
    rig.pass(14_500);
    expect(rig.state.sessions.has(sessionId)).toBe(true);
    expect(rig.queue()).toEqual(['waiting']);
    rig.pass(1_000);
    expect(rig.state.sessions.has(sessionId)).toBe(false);
    expect(rig.queue()).toEqual([]);
  });

  it('hears that its locks are revoked before its streams end', () => {
    const rig = createRig();
    const sessionId = rig.open('a');
    rig.acquire('a');
    rig.pass(15_000);
    const kinds = rig.events.flatMap((event) => {
      if (event.kind === 'session-ended') return ['ended'];
      return event.kind === 'session' && event.sessionId === sessionId ? [event.event.kind] : [];
    });
    expect(kinds).toEqual(['revoked', 'ended']);
  });

  it('leaves nothing behind', () => {
    const rig = createRig();
    for (const node of ['a', 'b', 'c']) rig.open(node);
    for (const node of ['a', 'b', 'c']) rig.acquire(node);
    rig.acquire('c', { type: 'delete' });
    for (const node of ['c', 'b', 'a']) rig.run({ kind: 'close-session', sessionId: sessionOf(node) });
    expect(rig.state.active.size).toBe(0);
    rig.pass(600_000);
    expect(rig.state.locks.size).toBe(0);
    expect(rig.state.idle.size).toBe(0);
  });
});

describe('a lock from before a restart', () => {
  it('comes back to a session that had its id before, and to no other', () => {
    const rig = createRig();
    rig.open('new');
    rig.open('old', { isReturning: true });
    rig.renew('new', [held(7)]);
    expect(rig.holder()).toBeUndefined();
    expect(rig.told('new')).toMatchObject([{ kind: 'revoked', token: 7 }]);
    rig.renew('old', [held(7)]);
    expect(rig.holder()).toBe('old');
    expect(rig.state.nextToken).toBe(8);
  });

  it('does not come back to a session that was lost in this life', () => {
    const rig = createRig();
    rig.open('a');
    rig.acquire('a');
    const token = rig.state.nextToken - 1;
    rig.pass(16_000);
    rig.open('a', { isReturning: true });
    rig.renew('a', [held(token)]);
    expect(rig.holder()).toBeUndefined();
    expect(rig.told('a').at(-1)).toMatchObject({ kind: 'revoked', token });
  });

  it('does not come back once the service may have forgotten who held it', () => {
    const rig = createRig();
    rig.pass(600_000);
    rig.open('a', { isReturning: true });
    rig.renew('a', [held(7)]);
    expect(rig.holder()).toBeUndefined();
  });

  it('does not come back after records were dropped for want of room', () => {
    const rig = createRig({ maxRecords: 1 });
    for (const resourceId of [layer, otherLayer]) {
      rig.acquire('b', { resourceId });
      rig.release('b', false, { resourceId });
    }
    rig.pass(250);
    expect(rig.state.locks.size).toBe(1);
    rig.open('a', { isReturning: true });
    rig.renew('a', [held(70)]);
    expect(rig.holder()).toBeUndefined();
  });

  it('keeps new tokens safe integers', () => {
    const rig = createRig();
    rig.open('a', { isReturning: true });
    rig.renew('a', [held(Number.MAX_SAFE_INTEGER)]);
    expect(rig.holder()).toBeUndefined();
    expect(rig.acquire('b')).toMatchObject({ kind: 'granted', token: 1 });
  });
});

describe('a recovery', () => {
  it('takes the place of who brings the lock itself, so that nobody waits behind themselves', () => {
    const rig = createRig({ recoveryMs: 1_000 });
    rig.open('a', { isReturning: true });
    rig.acquire('a', { position: 1 });
    rig.renew('a', [held(7)]);
    rig.pass(1_000);
    expect(rig.holder()).toBe('a');
    expect(rig.queue()).toEqual([]);
  });

  it.each([0, 250])('begins anew when the service was stopped meanwhile, after %i ms', (passedMs) => {
    const rig = createRig({ recoveryMs: 1_000 });
    rig.open('b', { isReturning: true });
    rig.acquire('b', { position: 1 });
    rig.pass(passedMs);
    rig.stall(60_000);
    rig.run({ kind: 'tick' });
    rig.open('a', { isReturning: true });
    rig.renew('a', [held(7)]);
    rig.pass(750);
    expect(rig.state.isRecovering).toBe(true);
    rig.pass(250);
    expect(rig.state.isRecovering).toBe(false);
    expect(rig.holder()).toBe('a');
    expect(rig.queue()).toEqual(['b']);
  });

  it('answers waiters by the place they had, and grants nothing while it lasts', () => {
    const rig = createRig({ recoveryMs: 1_000 });
    for (const node of ['a', 'b', 'c']) rig.open(node, { isReturning: true });
    expect(rig.acquire('c', { position: 3 })).toMatchObject({ kind: 'queued', position: 3 });
    expect(rig.acquire('b', { position: 2 })).toMatchObject({ kind: 'queued', position: 2 });
    expect(rig.acquire('older')).toEqual({ kind: 'recovering', waitMs: 1_000 });
    rig.renew('a', [held(7)]);
    expect(rig.release('a', false)).toEqual({ kind: 'released' });
    expect(rig.holder()).toBeUndefined();
    rig.pass(1_000);
    expect(rig.holder()).toBe('b');
    expect(rig.queue()).toEqual(['c']);
    expect(rig.acquire('c')).toMatchObject({ kind: 'queued', position: 1 });
  });

  it('skips waiters when the lock that came back is finished', () => {
    const rig = createRig({ recoveryMs: 1_000 });
    for (const node of ['a', 'b']) rig.open(node, { isReturning: true });
    rig.renew('a', [held(7)]);
    rig.acquire('b', { position: 1 });
    rig.release('a');
    expect(rig.acquire('b')).toMatchObject({ kind: 'skip' });
  });
});
