import { describe, expect, it } from 'vitest';
import { toNodeId } from '../../../../../src/core/ids.ts';
import { applyEntry } from '../../../../../src/lock/backends/etcd/replica/apply.ts';
import { type ClusterCommand, toSeatId } from '../../../../../src/lock/backends/etcd/replica/cluster.ts';
import { layer, sessionOf } from '../../../machine/support.ts';
import { createStage } from './support.ts';

describe('entries', () => {
  it('seat the servers that write them, in the order of their first ones', () => {
    const { cluster, write } = createStage();
    write('b');
    write('a');
    write('b');
    expect([...cluster.seats.keys()]).toEqual(['b', 'a']);
    expect(cluster.seats.get(toSeatId('b'))?.lastSeq).toBe(2);
  });

  it('are applied once, however often they come', () => {
    const { cluster, write, acquire, told } = createStage();
    acquire('a', 'older');
    const before = { told: told.length, check: cluster.check };
    applyEntry(cluster, { seat: toSeatId('a'), seq: 1, atMs: 90_000, commands: [] }, () => {
      throw new Error('it was told again');
    });
    expect({ told: told.length, check: cluster.check, atMs: cluster.atMs }).toEqual({
      ...before,
      atMs: 1_000,
    });
    expect(write('a')).toEqual([]);
  });

  it('answer each command after its step and before the next one', () => {
    const { cluster } = createStage();
    const request = { type: 'pull' as const, resourceId: layer };
    const commands: ClusterCommand[] = ['one', 'two'].map((node) => ({
      kind: 'acquire',
      request: { ...request, nodeId: toNodeId(node) },
    }));
    const queued: [number, number | undefined][] = [];
    applyEntry(cluster, { seat: toSeatId('a'), seq: 1, atMs: 1_000, commands }, (index) => {
      queued.push([index, cluster.machine.locks.get(`default\n${layer}`)?.queue.size]);
    });
    expect(queued).toEqual([
      [-1, undefined],
      [0, 0],
      [1, 1],
    ]);
  });

  it('let time pass, and never back', () => {
    const { cluster } = createStage();
    const entry = (seq: number, atMs: number) => ({ seat: toSeatId('a'), seq, atMs, commands: [] });
    applyEntry(cluster, entry(1, 5_000), () => {});
    applyEntry(cluster, entry(2, 4_000), () => {});
    expect([cluster.atMs, cluster.tickedMs]).toEqual([5_000, 5_000]);
  });

  it('look at time first, when a quarter of a second passed', () => {
    const { write, stall, told } = createStage();
    const ticks = () => told.filter(({ index }) => index === -1).length;
    write('a');
    stall(249);
    write('a');
    expect(ticks()).toBe(1);
    stall(1);
    write('a', { kind: 'node-gone', nodeId: toNodeId('x') });
    expect(told.map(({ index }) => index)).toEqual([-1, -1, 0]);
  });

  it('leave others alone when one of their commands is none', () => {
    const { write, cluster } = createStage();
    const opened: ClusterCommand = {
      kind: 'open-session',
      request: { sessionId: sessionOf('a'), nodeId: toNodeId('a') },
      isReturning: false,
    };
    const [bad, good] = write('a', { kind: 'malformed' }, opened);
    expect(bad).toEqual({ kind: 'failed-command', message: 'it is not a command' });
    expect(good).toMatchObject({ sessionId: sessionOf('a') });
    expect(cluster.machine.sessions.size).toBe(1);
  });

  it('survive a command that throws', () => {
    const { write, acquire } = createStage();
    // What a decoder would not let through.
    const broken = { kind: 'renew', sessionId: sessionOf('a') } as ClusterCommand;
    acquire('a', 'older');
    createSession(write, 'a');
    expect(write('a', broken)).toMatchObject([{ kind: 'failed-command' }]);
    expect(acquire('a', 'older')).toMatchObject({ kind: 'granted' });
  });

  it('fold what they did into a number that tells two ways apart', () => {
    const [one, other, third] = [createStage(), createStage(), createStage()];
    for (const stage of [one, other]) stage.acquire('a', 'older-1');
    third.write('a');
    expect(one.cluster.check).toBe(other.cluster.check);
    expect(one.cluster.check).not.toBe(third.cluster.check);
    other.acquire('a', 'older-2');
    one.acquire('a', 'older-1');
    expect(one.cluster.check).not.toBe(other.cluster.check);
    expect(one.cluster.check).toBe(one.cluster.check >>> 0);
  });
});

function createSession(write: (seat: string, command: ClusterCommand) => unknown, node: string): void {
  const request = { sessionId: sessionOf(node), nodeId: toNodeId(node) };
  write('a', { kind: 'open-session', request, isReturning: false });
}
