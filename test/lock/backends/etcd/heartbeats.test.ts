import { describe, expect, it } from 'vitest';
import { digestOf } from '../../../../src/core/digest.ts';
import { toToken } from '../../../../src/core/ids.ts';
import { inPortions } from '../../../../src/lock/backends/etcd/heartbeats.ts';
import { layer } from '../../../conformance/locks/layers.ts';

const digests = (count: number, of: string) =>
  Array.from({ length: count }, (_, index) => digestOf(Buffer.from(`${of} ${index}`)));
const held = [{ type: 'pull' as const, resourceId: layer, token: toToken(1), offset: 1, total: 2 }];

describe('a heartbeat', () => {
  it('stays one where it tells of few copies', () => {
    const heartbeat = { held, announce: { add: digests(1_999, 'new'), remove: digests(1, 'old') } };
    expect(inPortions(heartbeat)).toEqual([heartbeat]);
    expect(inPortions({ held, draining: true })).toEqual([{ held, draining: true }]);
  });

  it('tells of many copies in portions, of those that are gone first, and of its locks once', () => {
    const [add, remove] = [digests(5_000, 'new'), digests(3_000, 'old')];
    const portions = inPortions({ held, draining: true, announce: { add, remove } });
    expect(portions.flatMap(({ announce }) => announce?.add ?? [])).toEqual(add);
    expect(portions.flatMap(({ announce }) => announce?.remove ?? [])).toEqual(remove);
    expect(portions.at(-1)).toEqual({ held, draining: true });
    expect(portions.slice(0, -1).every((one) => one.held.length === 0 && one.draining)).toBe(true);
    expect(portions).toHaveLength(5);
    expect(portions[0]?.announce?.add).toEqual([]);
  });
});
