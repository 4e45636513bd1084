import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatBytes, formatBytesOf, formatDuration, oneLine, plural, truncate } from '../../src/ui/text.ts';

describe('texts for people', () => {
  it('gives bytes in binary units', () => {
    expect([0, 999, 1_024, 4_404_019].map(formatBytes)).toEqual(['0 B', '999 B', '1 KiB', '4.2 MiB']);
  });

  it('gives part and whole in the unit of the whole', () => {
    expect(formatBytesOf(0, 0)).toBe('0/0 B');
    expect(formatBytesOf(512, 2_048)).toBe('0.5/2 KiB');
    expect(formatBytesOf(12_897_484, 41_943_040)).toBe('12.3/40 MiB');
    expect(formatBytesOf(1_023 * 1_024, 1_023 * 1_024)).toBe('1023/1023 KiB');
  });

  it('gives durations', () => {
    const texts = [0, 1_320, 59_940, 59_960, 245_000, 7_380_000].map(formatDuration);
    expect(texts).toEqual(['0 s', '1.3 s', '59.9 s', '1 min 0 s', '4 min 5 s', '2 h 3 min']);
  });

  it('counts', () => {
    expect([plural(1, 'layer'), plural(2, 'layer'), plural(0, 'layer')]).toEqual([
      '1 layer',
      '2 layers',
      '0 layers',
    ]);
  });

  it('keeps control characters of others away from the terminal', () => {
    expect(oneLine('a\u001b[2J\r\nb\u0007\u009bc')).toBe('a [2J b c');
  });

  it('keeps away what turns the direction of the text after it', () => {
    expect(oneLine('a\u202eb\u2066c\u200fd')).toBe('a b c d');
    expect(oneLine('\u0645\u0631\u062d\u0628\u0627')).toBe('\u0645\u0631\u062d\u0628\u0627');
  });

  it('never gives more characters than asked for', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.nat(40), (text, columns) => {
        expect([...truncate(text, columns)].length).toBeLessThanOrEqual(columns);
      }),
    );
    expect(truncate('abcdef', 4)).toBe('abc…');
    expect(truncate('abcd', 4)).toBe('abcd');
  });
});
