import { describe, expect, it } from 'vitest';
import { toNodeId } from '../../../../../src/core/ids.ts';
import { toSeatId } from '../../../../../src/lock/backends/etcd/replica/cluster.ts';
import { layer, sessionOf } from '../../../machine/support.ts';
import { createStage, type Stage } from './support.ts';

const homesOf = ({ cluster }: Stage, seat: string) => [...(cluster.seats.get(toSeatId(seat))?.homes ?? [])];
const streamsOf = ({ cluster }: Stage, seat: string) => [
  ...(cluster.seats.get(toSeatId(seat))?.streams ?? []),
];
const [a, b] = [sessionOf('a'), sessionOf('b')];

describe('the home of a session', () => {
  it('is with every server that it asks something', () => {
    const stage = createStage();
    stage.open('one', 'a');
    stage.renew('two', 'a');
    stage.acquire('three', 'a');
    stage.write('four', { kind: 'stream-opened', sessionId: a });
    for (const seat of ['one', 'two', 'three', 'four']) expect(homesOf(stage, seat)).toEqual([a]);
  });

  it('is nowhere while it is not known, and nowhere once it ended', () => {
    const stage = createStage();
    stage.renew('one', 'a');
    expect(homesOf(stage, 'one')).toEqual([]);
    stage.open('one', 'a');
    stage.write('two', { kind: 'stream-opened', sessionId: a });
    stage.write('two', { kind: 'close-session', sessionId: a });
    expect([homesOf(stage, 'one'), homesOf(stage, 'two'), streamsOf(stage, 'two')]).toEqual([[], [], []]);
  });

  it('is not with a server that only saw its stream end', () => {
    const stage = createStage();
    stage.open('one', 'a');
    stage.write('two', { kind: 'stream-closed', sessionId: a });
    expect(homesOf(stage, 'two')).toEqual([]);
  });

  it('keeps it alive as long as a server hears it, though no heartbeat is written', () => {
    const stage = createStage();
    stage.open('one', 'a');
    stage.acquire('one', 'a');
    stage.pass(100_000);
    expect(stage.holder()).toBe('a');
    expect(stage.session('a')?.heartbeatMs).toBe(stage.cluster.tickedMs);
  });
});

describe('a session that falls silent', () => {
  it('is lost when its time to live is over, counted from when it was heard last', () => {
    const stage = createStage();
    stage.open('one', 'a');
    stage.open('one', 'b');
    stage.acquire('one', 'a');
    stage.acquire('one', 'b');
    stage.pass(7_000);
    stage.write('one', { kind: 'session-quiet', sessionId: a, silentMs: 6_000 });
    expect(stage.session('a')?.heartbeatMs).toBe(stage.cluster.atMs - 6_000);
    stage.pass(8_500);
    expect(stage.holder()).toBe('a');
    stage.pass(500);
    expect(stage.session('a')).toBeUndefined();
    expect(stage.holder()).toBe('b');
    expect(stage.toldTo('a').at(-1)).toMatchObject({ kind: 'revoked', reason: 'no heartbeat for 15 s' });
  });

  it('is lost also while another server starts and ends again and again', () => {
    const stage = createStage();
    stage.open('one', 'a');
    stage.write('one', { kind: 'session-quiet', sessionId: a, silentMs: 6_000 });
    for (let life = 0; life < 4; life += 1) {
      stage.pass(4_000, `flapping-${life}`);
      stage.write('one', { kind: 'seat-gone', seat: toSeatId(`flapping-${life}`) });
    }
    expect(stage.session('a')).toBeUndefined();
  });

  it('gets its whole time once more when the only server that could hear it is gone', () => {
    const stage = createStage();
    stage.open('one', 'a');
    stage.pass(7_000, 'one');
    stage.write('one', { kind: 'session-quiet', sessionId: a, silentMs: 6_000 });
    stage.pass(7_000, 'two');
    stage.write('two', { kind: 'seat-gone', seat: toSeatId('one') });
    stage.pass(14_000, 'two');
    expect(stage.session('a')).toBeDefined();
    stage.pass(1_500, 'two');
    expect(stage.session('a')).toBeUndefined();
  });

  it('is heard again by any server that it turns to', () => {
    const stage = createStage();
    stage.open('one', 'a');
    stage.write('one', { kind: 'session-quiet', sessionId: a, silentMs: 6_000 });
    stage.renew('two', 'a');
    stage.pass(60_000);
    expect(stage.session('a')).toBeDefined();
    expect([homesOf(stage, 'one'), homesOf(stage, 'two')]).toEqual([[], [a]]);
  });

  it('lives on where another server hears it', () => {
    const stage = createStage();
    stage.open('one', 'a');
    stage.renew('two', 'a');
    stage.write('one', { kind: 'session-quiet', sessionId: a, silentMs: 6_000 });
    stage.pass(60_000);
    expect(stage.session('a')).toBeDefined();
    expect([homesOf(stage, 'one'), homesOf(stage, 'two')]).toEqual([[], [a]]);
  });

  it('is not lost on the word of a server that never heard it', () => {
    const stage = createStage();
    stage.open('one', 'a');
    stage.write('one', { kind: 'seat-gone', seat: toSeatId('one') });
    stage.write('two', { kind: 'session-quiet', sessionId: a, silentMs: 6_000 });
    expect(stage.session('a')).toBeDefined();
  });

  it('gets its whole time after all servers were away', () => {
    const stage = createStage();
    stage.open('one', 'a');
    stage.stall(60_000);
    stage.write('one', { kind: 'session-quiet', sessionId: a, silentMs: 6_000 });
    stage.pass(14_500);
    expect(stage.session('a')).toBeDefined();
    stage.pass(500);
    expect(stage.session('a')).toBeUndefined();
  });
});

describe('a server that goes', () => {
  const gone = (stage: Stage, seat: string) =>
    stage.write('left', { kind: 'seat-gone', seat: toSeatId(seat) });

  it('is no seat any more, and going again changes nothing', () => {
    const stage = createStage();
    stage.open('one', 'a');
    gone(stage, 'one');
    stage.pass(5_000);
    const heardMs = stage.session('a')?.heartbeatMs;
    gone(stage, 'one');
    expect([...stage.cluster.seats.keys()]).toEqual(['left', 'timekeeper']);
    expect(stage.session('a')?.heartbeatMs).toBe(heardMs);
  });

  it('leaves its sessions one whole time to live', () => {
    const stage = createStage();
    stage.open('one', 'a');
    stage.open('one', 'b');
    stage.renew('two', 'b');
    stage.pass(100_000);
    gone(stage, 'one');
    stage.pass(14_500);
    expect(stage.session('a')).toBeDefined();
    stage.pass(500);
    expect(stage.session('a')).toBeUndefined();
    expect(stage.session('b')).toBeDefined();
  });

  it('keeps nobody from being heard elsewhere', () => {
    const stage = createStage();
    stage.open('one', 'a');
    gone(stage, 'one');
    stage.pass(10_000);
    stage.renew('two', 'a');
    stage.pass(30_000);
    expect(stage.session('a')).toBeDefined();
  });

  it('takes its streams back without beginning a grace', () => {
    const stage = createStage();
    stage.open('one', 'a');
    stage.write('one', { kind: 'stream-opened', sessionId: a }, { kind: 'stream-opened', sessionId: a });
    stage.write('two', { kind: 'stream-opened', sessionId: a });
    expect(stage.session('a')?.streams).toBe(3);
    gone(stage, 'one');
    expect(stage.session('a')).toMatchObject({ streams: 1, cutMs: undefined });
    gone(stage, 'two');
    expect(stage.session('a')).toMatchObject({ streams: 0, cutMs: undefined });
    stage.pass(10_000);
    expect(stage.session('a')).toBeDefined();
  });

  it('takes back the grace that began as it closed its own streams before it left', () => {
    const stage = createStage();
    stage.open('one', 'a');
    stage.write('one', { kind: 'stream-opened', sessionId: a });
    stage.pass(1_000, 'one');
    stage.write('one', { kind: 'stream-closed', sessionId: a });
    stage.write('one', { kind: 'seat-gone', seat: toSeatId('one') });
    stage.pass(14_000, 'two');
    expect(stage.session('a')).toMatchObject({ streams: 0, cutMs: undefined });
    stage.pass(1_500, 'two');
    expect(stage.session('a')).toBeUndefined();
  });

  it('leaves a grace that has begun', () => {
    const stage = createStage();
    stage.open('one', 'a');
    stage.write('one', { kind: 'stream-opened', sessionId: a }, { kind: 'stream-closed', sessionId: a });
    const { cutMs } = stage.session('a') ?? {};
    expect(cutMs).toBe(1_000);
    gone(stage, 'one');
    expect(stage.session('a')?.cutMs).toBe(cutMs);
    stage.pass(5_000);
    expect(stage.session('a')).toBeUndefined();
  });

  it('takes the listeners of its older clients back, and those alone', () => {
    const stage = createStage();
    stage.write('one', { kind: 'listener-opened', resourceId: layer });
    stage.write('one', { kind: 'listener-opened', resourceId: layer });
    stage.write('two', { kind: 'listener-opened', resourceId: layer });
    const listeners = () => stage.cluster.machine.locks.get(`default\n${layer}`)?.listeners;
    expect(listeners()).toBe(3);
    gone(stage, 'one');
    expect(listeners()).toBe(1);
    // Whose place they kept has its whole time to be heard elsewhere.
    stage.acquire('two', 'older-1');
    stage.acquire('two', 'older-2');
    stage.pass(60_000);
    expect(stage.cluster.machine.timedPlaces.size).toBe(1);
    gone(stage, 'two');
    stage.pass(14_500);
    expect(stage.cluster.machine.timedPlaces.size).toBe(1);
    stage.pass(500);
    expect(stage.cluster.machine.timedPlaces.size).toBe(0);
  });

  it('does nothing more by what it wrote behind its own farewell', () => {
    const stage = createStage();
    const request = { sessionId: b, nodeId: toNodeId('b') };
    const [farewell, after] = stage.write(
      'one',
      { kind: 'seat-gone', seat: toSeatId('one') },
      { kind: 'open-session', request, isReturning: false },
    );
    expect(farewell).toBeUndefined();
    expect(after).toMatchObject({ kind: 'failed-command' });
    expect(stage.cluster.machine.sessions.size + stage.cluster.seats.size).toBe(0);
  });
});

describe('the end of a stream', () => {
  it('counts only for the server that had it', () => {
    const stage = createStage();
    stage.open('one', 'a');
    stage.write('one', { kind: 'stream-opened', sessionId: a });
    expect(stage.write('two', { kind: 'stream-closed', sessionId: a })).toEqual([undefined]);
    expect(stage.session('a')).toMatchObject({ streams: 1, cutMs: undefined });
    stage.write('one', { kind: 'stream-closed', sessionId: a });
    expect(stage.session('a')).toMatchObject({ streams: 0, cutMs: 1_000 });
    expect(streamsOf(stage, 'one')).toEqual([]);
  });

  it('counts for no session that was not known when it began', () => {
    const stage = createStage();
    stage.write('one', { kind: 'stream-opened', sessionId: a });
    stage.open('one', 'a');
    stage.write('one', { kind: 'stream-closed', sessionId: a });
    expect(stage.session('a')?.cutMs).toBeUndefined();
  });

  it('of an older client counts only for the server that had it', () => {
    const stage = createStage();
    stage.write('one', { kind: 'listener-opened', resourceId: layer });
    stage.write('two', { kind: 'listener-closed', resourceId: layer });
    expect(stage.cluster.machine.locks.get(`default\n${layer}`)?.listeners).toBe(1);
  });
});
