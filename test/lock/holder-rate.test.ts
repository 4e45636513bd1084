import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HolderRate } from '../../src/lock/holder-rate.ts';

const kib = 1_024;

/** A holder's line, told every `everyMs` milliseconds as `offsetAt` says; the first moment at which it was slow. */
function slowSince(
  offsetAt: (ms: number) => number,
  {
    total = 1e9,
    everyMs = 1_000,
    forMs = 120_000,
    holder = (_: number): string => 'a',
    rate = new HolderRate(bounds),
  } = {},
): number | undefined {
  for (let ms = 0; ms <= forMs; ms += everyMs) {
    const sample = { nowMs: ms, holder: holder(ms), offset: offsetAt(ms), total };
    if (rate.slowRate(sample) !== undefined) return ms;
  }
  return undefined;
}

const bounds = { minRateBytesPerSecond: 256 * kib, minRateWindowMs: 30_000 };
const at = (bytesPerSecond: number) => (ms: number) => (bytesPerSecond * ms) / 1_000;

describe('the rate of a holder', () => {
  it('is slow once it was below the rate for the whole window, and not before', () => {
    expect(slowSince(at(255 * kib))).toBe(30_000);
    expect(slowSince(at(256 * kib))).toBeUndefined();
    expect(slowSince(at(0))).toBe(30_000);
  });

  it('is told in bytes per second', () => {
    const rate = new HolderRate(bounds);
    rate.slowRate({ nowMs: 0, holder: 'a', offset: 1_000, total: 1e9 });
    expect(rate.slowRate({ nowMs: 40_000, holder: 'a', offset: 41_000, total: 1e9 })).toBe(1_000);
  });

  it('forgives a pause that is shorter than the window', () => {
    const hiccup = (ms: number) => (ms < 20_000 || ms > 40_000 ? 1e6 * ms : 1e6 * 20_000) / 1_000;
    expect(slowSince(hiccup, { total: 1e12 })).toBeUndefined();
  });

  it('is noticed when a fast holder becomes slow', () => {
    const tired = (ms: number) => 10e6 + (ms < 60_000 ? 1e6 * ms : 1e6 * 60_000) / 1_000;
    const since = slowSince(tired, { total: 1e12 });
    expect(since).toBeGreaterThan(60_000);
    expect(since).toBeLessThanOrEqual(90_000);
  });

  it('begins anew with each holder, and with each attempt of one', () => {
    const holder = (ms: number) => `holder ${Math.floor(ms / 20_000)}`;
    expect(slowSince(at(1), { holder })).toBeUndefined();
    expect(slowSince((ms) => ms % 20_000, { everyMs: 500 })).toBeUndefined();
  });

  it('begins anew when it is reset', () => {
    const rate = new HolderRate(bounds);
    expect(slowSince(at(1), { rate, forMs: 29_000 })).toBeUndefined();
    rate.reset();
    expect(rate.slowRate({ nowMs: 31_000, holder: 'a', offset: 31, total: 1e9 })).toBeUndefined();
  });

  it('is no matter for one that has all its bytes and publishes them', () => {
    expect(slowSince(() => 5_000, { total: 5_000 })).toBeUndefined();
    expect(slowSince(() => 4_999, { total: 5_000 })).toBe(30_000);
  });

  it('counts for one that never tells how much there is only when it stands still', () => {
    expect(slowSince(at(1), { total: 0 })).toBeUndefined();
    expect(slowSince(() => 0, { total: 0 })).toBe(30_000);
  });

  it('is never slow when the bound is 0', () => {
    const rate = new HolderRate({ ...bounds, minRateBytesPerSecond: 0 });
    expect(slowSince(() => 0, { rate })).toBeUndefined();
  });

  it('is what a holder really brought since the window began, however often it is told', () => {
    const steps = fc.array(fc.record({ ms: fc.integer({ min: 0, max: 20_000 }), bytes: fc.nat(1e7) }), {
      maxLength: 200,
    });
    fc.assert(
      fc.property(steps, (list) => {
        const rate = new HolderRate(bounds);
        const told = [{ nowMs: 0, offset: 0 }];
        for (const { ms, bytes } of list) {
          const last = told.at(-1) ?? { nowMs: 0, offset: 0 };
          const sample = { nowMs: last.nowMs + ms, offset: last.offset + bytes };
          told.push(sample);
          const slow = rate.slowRate({ ...sample, holder: 'a', total: 1e12 });
          // Fast enough against every moment from which the window may be counted: never slow.
          const old = told.filter(({ nowMs }) => sample.nowMs - nowMs >= bounds.minRateWindowMs);
          const rates = old.map((one) => ((sample.offset - one.offset) * 1_000) / (sample.nowMs - one.nowMs));
          if (rates.every((one) => one >= bounds.minRateBytesPerSecond)) expect(slow).toBeUndefined();
          if (slow !== undefined) expect(rates).toContain(slow);
        }
      }),
      { numRuns: 200 },
    );
  });
});
