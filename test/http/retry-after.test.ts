import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readRetryAfter } from '../../src/http/retry-after.ts';

const clock = { wallNow: () => Date.parse('Wed, 21 Oct 2026 07:28:00 GMT') };
const read = (value: string, date?: string) =>
  readRetryAfter({ 'retry-after': value, ...(date === undefined ? {} : { date }) }, clock);

describe('Retry-After', () => {
  it.each([
    ['0', 0],
    ['3', 3_000],
    [' 120 ', 120_000],
    ['9999999999', 86_400_000],
    ['Wed, 21 Oct 2026 07:28:30 GMT', 30_000],
    ['Wednesday, 21-Oct-26 07:28:30 GMT', 30_000],
    ['Wed Oct 21 07:28:30 2026 GMT', 30_000],
    ['Wed, 21 Oct 2026 07:00:00 GMT', 0],
    ['Fri, 21 Oct 2050 07:28:00 GMT', 86_400_000],
  ])('of "%s" is %i ms', (value, ms) => {
    expect(read(value)).toBe(ms);
  });

  it.each(['', '-1', '1.5', '1e3', 'soon', '99999999999', 'Wed, 99 Foo 2026', '2026-10-21', '0x10'])(
    'of "%s" says nothing',
    (value) => {
      expect(read(value)).toBeUndefined();
    },
  );

  it('is held against the clock of the server that sent it', () => {
    expect(read('Wed, 21 Oct 2026 09:00:05 GMT', 'Wed, 21 Oct 2026 09:00:00 GMT')).toBe(5_000);
    expect(read('Wed, 21 Oct 2026 07:28:05 GMT', 'nonsense')).toBe(5_000);
  });

  it('says nothing when it is absent', () => {
    expect(readRetryAfter({})).toBeUndefined();
  });

  it('is between nothing and a day, whatever the header holds', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.option(fc.string(), { nil: undefined }),
        (value, date) => {
          const ms = read(value, date);
          expect(ms === undefined || (ms >= 0 && ms <= 86_400_000)).toBe(true);
        },
      ),
    );
  });
});
