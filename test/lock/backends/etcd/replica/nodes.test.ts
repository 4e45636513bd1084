import { describe, expect, it } from 'vitest';
import { type NodeId, toNodeId } from '../../../../../src/core/ids.ts';
import { toSeatId } from '../../../../../src/lock/backends/etcd/replica/cluster.ts';
import { decodeCluster, encodeCluster } from '../../../../../src/lock/backends/etcd/replica/snapshot.ts';
import { layer } from '../../../machine/support.ts';
import { createStage, type Stage } from './support.ts';

const older = toNodeId('older');
const gone = { kind: 'node-gone', nodeId: older } as const;
const longMs = 31_000;

const nodesOf = ({ cluster }: Stage, seat: string): NodeId[] => [
  ...(cluster.seats.get(toSeatId(seat))?.nodes ?? []),
];

describe('an older client that holds a lock and leaves one of several servers', () => {
  it('keeps it where it asked another one since', () => {
    const stage = createStage();
    stage.acquire('one', 'older');
    stage.write('two', gone);
    stage.pass(longMs);
    expect(stage.holder()).toBe(older);
  });

  it('loses it where it asked that one last', () => {
    const stage = createStage();
    stage.acquire('one', 'older');
    stage.acquire('two', 'older');
    stage.write('two', gone);
    stage.pass(longMs);
    expect(stage.holder()).toBeUndefined();
  });

  it('loses it where the other one is gone, too', () => {
    const stage = createStage();
    stage.acquire('one', 'older');
    stage.write('two', { kind: 'seat-gone', seat: toSeatId('one') }, gone);
    stage.pass(longMs);
    expect(stage.holder()).toBeUndefined();
  });

  it('is connected also where it asks about something else', () => {
    const stage = createStage();
    stage.acquire('one', 'older');
    stage.write('two', {
      kind: 'status',
      request: { type: 'update', resourceId: layer, nodeId: older },
    });
    expect([nodesOf(stage, 'one'), nodesOf(stage, 'two')]).toEqual([[], [older]]);
  });

  it('is remembered in snapshots, and no longer than it holds anything', () => {
    const stage = createStage();
    stage.acquire('one', 'older');
    stage.acquire('one', 'other');
    expect(nodesOf(stage, 'one')).toEqual([older]);
    const read = decodeCluster(encodeCluster(stage.cluster), stage.cluster.machine.options);
    expect(read.seats.get(toSeatId('one'))?.nodes).toEqual(new Set([older]));
    stage.write('one', {
      kind: 'release',
      request: { type: 'pull', resourceId: layer, nodeId: older, outcome: { success: true } },
    });
    stage.pass(500);
    expect(nodesOf(stage, 'one')).toEqual([]);
  });
});
