import { describe, expect, it } from 'vitest';
import type { Digest } from '../../../../../src/core/digest.ts';
import { toNodeId, toToken } from '../../../../../src/core/ids.ts';
import { type ClusterCommand, toSeatId } from '../../../../../src/lock/backends/etcd/replica/cluster.ts';
import {
  dueMs,
  lookRenew,
  lookStatus,
  type Weight,
  weigh,
} from '../../../../../src/lock/backends/etcd/replica/materiality.ts';
import type { Heartbeat, HeldProgress } from '../../../../../src/lock/locks.ts';
import type { CommandOf } from '../../../../../src/lock/machine/commands.ts';
import { layer, otherLayer, sessionOf } from '../../../machine/support.ts';
import { createStage, type Stage } from './support.ts';

const a = sessionOf('a');
const seat = toSeatId('one');
const weightOf = ({ cluster }: Stage, command: ClusterCommand, at = seat, laterMs = 0): Weight =>
  weigh(cluster, at, command, cluster.atMs + laterMs);
const renewing = (heartbeat: Partial<Heartbeat> = {}): CommandOf<'renew'> => ({
  kind: 'renew',
  sessionId: a,
  heartbeat: { held: [], ...heartbeat },
});

/** A session that holds the lock of `layer` under token 1, and has claimed it. */
function holding(): Stage {
  const stage = createStage();
  stage.open('one', 'a');
  stage.acquire('one', 'a');
  stage.renew('one', 'a', { held: [held()] });
  return stage;
}

function held(more: Partial<HeldProgress> = {}): HeldProgress {
  return { type: 'pull', resourceId: layer, token: toToken(1), offset: 10, total: 100, ...more };
}

describe('of heartbeats', () => {
  it('one that says what is known is answered where it comes in', () => {
    const stage = holding();
    expect(weightOf(stage, renewing())).toBe('local');
    expect(weightOf(stage, renewing({ held: [held()] }))).toBe('local');
    expect(weightOf(stage, renewing({ announce: { add: [], remove: [] }, draining: false }))).toBe('local');
  });

  it('one that only tells of progress can wait', () => {
    expect(weightOf(holding(), renewing({ held: [held({ offset: 11 })] }))).toBe('soon');
    expect(weightOf(holding(), renewing({ held: [held({ offset: 9 })] }))).toBe('soon');
  });

  it('one that tells of copies is written only where there are others than before', () => {
    const stage = createStage();
    const telling = (add: Digest[], remove: Digest[] = []) => renewing({ announce: { add, remove } });
    const opened = { sessionId: a, nodeId: toNodeId('a'), url: 'http://a.example' };
    stage.write('one', { kind: 'open-session', request: opened, isReturning: false });
    expect(weightOf(stage, telling([layer]))).toBe('write');
    stage.write('one', telling([layer]));
    expect(weightOf(stage, telling([layer], [otherLayer]))).toBe('local');
    expect(weightOf(stage, telling([layer, otherLayer]))).toBe('write');
    expect(weightOf(stage, telling([], [layer]))).toBe('write');
  });

  it('one that tells of copies which nobody can read there is not written', () => {
    expect(weightOf(holding(), renewing({ announce: { add: [layer], remove: [] } }))).toBe('local');
  });

  it.each<[string, Partial<Heartbeat>]>([
    ['that it is about to end', { draining: true }],
    ['another size', { held: [held({ total: 200 })] }],
    ['another token', { held: [held({ token: toToken(7) })] }],
    ['another type', { held: [held({ type: 'update' })] }],
    ['a lock that nobody holds', { held: [held(), held({ resourceId: otherLayer })] }],
  ])('one that tells of %s is written', (_, heartbeat) => {
    expect(weightOf(holding(), renewing(heartbeat))).toBe('write');
  });

  it('one of a session that is not known is written', () => {
    expect(weightOf(createStage(), renewing())).toBe('write');
  });

  it('one that comes to another server is written', () => {
    const stage = holding();
    expect(weightOf(stage, renewing(), toSeatId('two'))).toBe('write');
    stage.renew('two', 'a');
    expect(weightOf(stage, renewing(), toSeatId('two'))).toBe('local');
  });

  it('one after a broken stream is written', () => {
    const stage = holding();
    stage.write('one', { kind: 'stream-opened', sessionId: a }, { kind: 'stream-closed', sessionId: a });
    expect(weightOf(stage, renewing())).toBe('write');
    stage.renew('one', 'a');
    expect(weightOf(stage, renewing())).toBe('local');
  });

  it('one that claims a grant is written', () => {
    const stage = createStage();
    stage.acquire('one', 'older');
    stage.open('one', 'a');
    stage.acquire('one', 'a');
    const request = { type: 'pull' as const, resourceId: layer, nodeId: toNodeId('older') };
    stage.write('one', { kind: 'release', request: { ...request, outcome: failure } });
    expect(stage.holder()).toBe('a');
    const claim = held({ token: toToken(2), offset: 0, total: 0 });
    expect(weightOf(stage, renewing({ held: [claim] }))).toBe('write');
    stage.renew('one', 'a', { held: [claim] });
    expect(weightOf(stage, renewing({ held: [claim] }))).toBe('local');
  });

  it('one for a lock of somebody else is written', () => {
    const stage = holding();
    const theirs: CommandOf<'renew'> = { ...renewing({ held: [held()] }), sessionId: stage.open('one', 'b') };
    expect(weightOf(stage, theirs)).toBe('write');
  });

  it('one that needs not be written is answered with what the session has', () => {
    const stage = holding();
    const { cluster } = stage;
    expect(lookRenew(cluster, renewing(), cluster.atMs)).toEqual({
      kind: 'snapshot',
      snapshot: {
        granted: [{ type: 'pull', resourceId: layer, token: 1, waiters: 0 }],
        queued: [],
      },
    });
    const unknown = { ...renewing(), sessionId: sessionOf('nobody') };
    expect(lookRenew(cluster, unknown, cluster.atMs)).toEqual({ kind: 'unknown-session' });
  });
});

const failure = { success: false, error: 'broken', class: 'node' } as const;

describe('of questions how it stands', () => {
  const asking = (node: string, more: object = {}): CommandOf<'status'> => ({
    kind: 'status',
    request: { type: 'pull', resourceId: layer, nodeId: toNodeId(node), ...more },
  });

  it('one of somebody who has nothing is answered where it comes in', () => {
    const stage = createStage();
    expect(weightOf(stage, asking('older'))).toBe('local');
    stage.acquire('two', 'a');
    expect(weightOf(stage, asking('older'))).toBe('local');
    const { atMs } = stage.cluster;
    expect(lookStatus(stage.cluster, asking('older'), atMs)).toMatchObject({
      kind: 'status',
      status: { acquired: false, completed: false, view: { holder: { nodeId: 'a', heldMs: 0 } } },
    });
  });

  it('one of the holder is written', () => {
    const stage = holding();
    expect(weightOf(stage, asking('a', { sessionId: a }))).toBe('write');
    expect(weightOf(stage, asking('a', { sessionId: a, type: 'update' }))).toBe('local');
  });

  it('one of a session that is not known, or whose stream broke, is written', () => {
    const stage = createStage();
    const question = asking('a', { sessionId: a });
    expect(weightOf(stage, question)).toBe('write');
    stage.open('one', 'a');
    expect(weightOf(stage, question)).toBe('local');
    stage.write('one', { kind: 'stream-opened', sessionId: a }, { kind: 'stream-closed', sessionId: a });
    expect(weightOf(stage, question)).toBe('write');
  });

  it('one of a node that closed its connections is written', () => {
    const stage = createStage();
    stage.acquire('one', 'older');
    const other = asking('older', { type: 'update' });
    expect(weightOf(stage, other)).toBe('local');
    stage.write('one', { kind: 'node-gone', nodeId: toNodeId('older') });
    expect(weightOf(stage, other)).toBe('write');
  });

  it('one of somebody whose place lapsed is written', () => {
    const stage = createStage();
    stage.acquire('one', 'older-1');
    stage.acquire('one', 'older-2');
    stage.pass(15_000);
    expect(weightOf(stage, asking('older-2'))).toBe('write');
  });

  it('one of a waiter without a session is written every tenth of the time that its place lasts', () => {
    const stage = createStage();
    stage.acquire('one', 'older-1');
    stage.acquire('one', 'older-2');
    expect(weightOf(stage, asking('older-2'), seat, 1_500)).toBe('local');
    expect(weightOf(stage, asking('older-2'), seat, 1_501)).toBe('write');
    stage.open('one', 'a');
    stage.acquire('one', 'a');
    expect(weightOf(stage, asking('a', { sessionId: a }), seat, 100_000)).toBe('local');
  });

  it('one of a holder without a session is written every tenth of its lease', () => {
    const stage = createStage();
    stage.acquire('one', 'older');
    const other = asking('older', { type: 'update' });
    expect(weightOf(stage, other, seat, 60_000)).toBe('local');
    expect(weightOf(stage, other, seat, 60_001)).toBe('write');
  });
});

describe('of all else', () => {
  const request = { type: 'pull', resourceId: layer, nodeId: toNodeId('a'), sessionId: a } as const;
  it.each<ClusterCommand>([
    { kind: 'open-session', request: { sessionId: a, nodeId: toNodeId('a') }, isReturning: false },
    { kind: 'close-session', sessionId: a },
    { kind: 'acquire', request },
    { kind: 'release', request: { ...request, outcome: { success: true } } },
    { kind: 'decline', request },
    { kind: 'sources', request: { sessionId: a, resourceId: layer, token: toToken(1), offset: 0 } },
    { kind: 'node-gone', nodeId: toNodeId('a') },
    { kind: 'stream-opened', sessionId: a },
    { kind: 'stream-closed', sessionId: a },
    { kind: 'listener-opened', resourceId: layer },
    { kind: 'listener-closed', resourceId: layer },
    { kind: 'seat-gone', seat },
    { kind: 'session-quiet', sessionId: a, silentMs: 6_000 },
  ])('$kind is written', (command) => {
    expect(weightOf(holding(), command)).toBe('write');
  });
});

describe('time', () => {
  const dueOf = ({ cluster }: Stage) => dueMs(cluster);

  it('need not pass where nothing is, nor for servers alone', () => {
    const stage = createStage();
    expect(dueOf(stage)).toBeUndefined();
    stage.write('one');
    expect(dueOf(stage)).toBeUndefined();
  });

  it('passes between heartbeats while there are sessions or records', () => {
    const stage = createStage();
    stage.open('one', 'a');
    expect(dueOf(stage)).toBe(4_000);
    stage.acquire('one', 'a');
    stage.write('one', { kind: 'close-session', sessionId: a });
    expect(dueOf(stage)).toBe(4_000);
    stage.pass(600_000);
    expect(dueOf(stage)).toBeUndefined();
  });

  it('passes often while there is a holder', () => {
    expect(dueOf(holding())).toBe(500);
  });

  it('passes often while a broken stream is to come back', () => {
    const stage = createStage();
    stage.open('one', 'a');
    stage.write('one', { kind: 'stream-opened', sessionId: a }, { kind: 'stream-closed', sessionId: a });
    expect(dueOf(stage)).toBe(500);
  });

  it('passes often while no server hears a session', () => {
    const stage = createStage();
    stage.open('one', 'a');
    stage.write('two', { kind: 'seat-gone', seat });
    expect(dueOf(stage)).toBe(500);
    stage.renew('two', 'a');
    expect(dueOf(stage)).toBe(4_000);
  });

  it('passes often while the service recovers', () => {
    const stage = createStage({ recoveryMs: 1_000 });
    expect(dueOf(stage)).toBe(500);
    stage.pass(1_000);
    expect(dueOf(stage)).toBeUndefined();
  });
});
