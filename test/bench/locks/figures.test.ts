import { describe, expect, test } from 'vitest';
import {
  type Aim,
  aheadOfPeer,
  atLeast,
  atMost,
  below,
  type Figure,
  formatFigures,
} from '../../../bench/lib/locks/figures.ts';
import { formatShortMs } from '../../../bench/lib/numbers.ts';

const figure = (value: number, aim: Aim, peer?: number): Figure => ({
  ...{ name: 'wait', value, format: formatShortMs, aim, peer: { name: 'etcd', value: peer } },
});

describe('the figures of a bench', () => {
  test('stand beside their aim and their peer', () => {
    const [, row] = formatFigures([figure(2, below(3, '3 ms'), 4)]).split('\n');
    expect(row?.split(/ {2,}/)).toEqual(['wait', '2.00 ms', '< 3 ms', 'aim met', 'etcd 4.00 ms', '0.50x']);
  });

  test('are measured also where the peer cannot be had', () => {
    const table = formatFigures([figure(3, below(3, '3 ms'))]);
    expect(table).toContain('aim missed');
    expect(table).toContain('etcd not installed\n');
  });

  test('stand beside what several servers over etcd reach, where anything was measured there', () => {
    const both = { ...figure(2, below(3, '3 ms'), 4), overEtcd: 5 };
    const alone = { name: 'restart', value: 7, format: String };
    const [heading, first, second] = formatFigures([both, alone]).split('\n');
    expect(heading?.split(/ {2,}/)).toEqual(['figure', 'measured', 'over etcd', 'aim', 'peer', 'of peer']);
    expect(first?.split(/ {2,}/).slice(0, 4)).toEqual(['wait', '2.00 ms', '5.00 ms', '< 3 ms']);
    expect(second?.split(/ {2,}/)).toEqual(['restart', '7']);
    expect(formatFigures([alone])).not.toContain('over etcd');
  });

  test('may have no value without etcd', () => {
    const table = formatFigures([{ name: 'leader', value: undefined, overEtcd: undefined, format: String }]);
    expect(table.split('\n')[1]?.split(/ {2,}/)).toEqual(['leader', 'etcd not installed']);
  });

  test('are followed by what one has to know of them', () => {
    const table = formatFigures([{ ...figure(1, below(3, '3 ms')), note: 'on a busy machine' }]);
    expect(table.split('\n\n')[1]).toBe('wait: on a busy machine\n');
  });

  test('meet a bound up to itself, or only below it', () => {
    expect([2, 3, 4].map((value) => below(3, '').isMet(value, undefined))).toEqual([true, false, false]);
    expect([2, 3, 4].map((value) => atMost(3, '').isMet(value, undefined))).toEqual([true, true, false]);
    expect([2, 3, 4].map((value) => atLeast(3, '').isMet(value, undefined))).toEqual([false, true, true]);
  });

  test('are ahead of a peer only where they reach more', () => {
    const aim = aheadOfPeer(atLeast(10, ''));
    expect([aim.isMet(12, undefined), aim.isMet(12, 11), aim.isMet(12, 12), aim.isMet(9, 8)]).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});
