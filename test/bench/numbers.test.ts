import { describe, expect, test } from 'vitest';
import {
  formatMs,
  formatRate,
  formatShortMs,
  mean,
  median,
  parseBytes,
  parseCount,
  percentile,
  ratio,
} from '../../bench/lib/numbers.ts';
import { formatTable } from '../../bench/lib/table.ts';

describe('the numbers of a bench', () => {
  test('have the middle as their median, of an even count the mean of the two', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(() => median([])).toThrow('no values');
  });

  test('have percentiles that are some of them, and a mean', () => {
    const values = [30, 10, 40, 20];
    expect([0, 50, 51, 99, 100].map((percent) => percentile(values, percent))).toEqual([10, 20, 30, 40, 40]);
    expect(mean(values)).toBe(25);
    for (const of of [mean, (none: number[]) => percentile(none, 50)])
      expect(() => of([])).toThrow('no values');
  });

  test('are read with binary units', () => {
    expect(['4096', '1KiB', '1.5MiB', '1GiB'].map(parseBytes)).toEqual([4096, 1024, 1_572_864, 2 ** 30]);
    expect(() => parseBytes('10MB')).toThrow('"10MB" is not a size');
    expect(parseCount('3')).toBe(3);
    for (const wrong of ['0', '1.5', 'many']) expect(() => parseCount(wrong)).toThrow('not a number from 1');
  });

  test('are written short', () => {
    expect([formatMs(12.4), formatMs(1_234)]).toEqual(['12 ms', '1.23 s']);
    expect([formatShortMs(0.456), formatShortMs(123.4)]).toEqual(['0.46 ms', '123 ms']);
    expect(formatRate(12_345.6)).toBe('12,346/s');
    expect(ratio(231, 100)).toBe('2.31x');
  });

  test('stand in columns', () => {
    const rows = [
      ['', 'time'],
      ['one', '1 ms'],
      ['three', '100 ms'],
    ];
    expect(formatTable(rows)).toBe('         time\none      1 ms\nthree  100 ms\n');
  });
});
