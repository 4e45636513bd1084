import { describe, expect, it } from 'vitest';
import { type ErrorCode, errorTable, LayerpullError } from '../../src/core/errors.ts';
import { maxRetryAfterMs, pauseAfter } from '../../src/core/retry.ts';
import { retriesAfter, retrying } from '../../src/source/retry-table.ts';

const refused = new LayerpullError('registry_unreachable', 'connection refused', {
  cause: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }),
});

describe('what is tried again', () => {
  it.each([
    [refused, 1, 3],
    [new LayerpullError('registry_unreachable', 'host not found'), 3, 3],
    [new LayerpullError('registry_failed', 'status 503'), 3, 3],
    [new LayerpullError('registry_stalled', 'silence'), 3, 3],
    [new LayerpullError('rate_limited', 'slower'), 3, 3],
  ])('$message: $1 times for a manifest, $2 times for a blob', (error, manifest, blob) => {
    expect(retriesAfter(error, 'manifest')).toBe(manifest);
    expect(retriesAfter(error, 'blob')).toBe(blob);
  });

  it('is no other error, however its code is marked', () => {
    const tried = ['registry_unreachable', 'registry_failed', 'registry_stalled', 'rate_limited'];
    const others = (Object.keys(errorTable) as ErrorCode[]).filter((code) => !tried.includes(code));
    for (const code of others) {
      expect(retriesAfter(new LayerpullError(code, code, { retryable: true }), 'blob'), code).toBe(0);
    }
  });

  it('is nothing that was marked as final, and no bug', () => {
    expect(retriesAfter(new LayerpullError('registry_failed', 'x', { retryable: false }), 'blob')).toBe(0);
    expect(retriesAfter(new TypeError('a bug'), 'manifest')).toBe(0);
  });

  it('counts failures in a row, each against the row of the last', () => {
    const { shouldRetry } = retrying('manifest');
    expect([0, 1].map((round) => shouldRetry(refused, round))).toEqual([true, false]);
    const reset = new LayerpullError('registry_unreachable', 'reset');
    expect([2, 3].map((round) => shouldRetry(reset, round))).toEqual([true, false]);
    expect(retrying('manifest', { retries: 0 }).shouldRetry(reset, 0)).toBe(false);
  });
});

describe('the pause before a try', () => {
  const told = (retryAfterMs: number) => new LayerpullError('rate_limited', 'slower', { retryAfterMs });
  const options = { delayMs: 500, factor: 2, random: () => 0 };

  it('is never shorter than the server asked for, and not the same for all', () => {
    expect(pauseAfter(told(7_000), 0, options)).toBe(7_000);
    expect(pauseAfter(told(7_000), 0, { ...options, random: () => 0.5 })).toBe(7_350);
  });

  it('is at most a minute and its tenth, whatever the server asks for', () => {
    expect(pauseAfter(told(86_400_000), 0, { ...options, random: () => 1 })).toBe(maxRetryAfterMs * 1.1);
  });

  it('is our own where the server says nothing or asks for less', () => {
    const silent = new LayerpullError('rate_limited', 'slower');
    expect(pauseAfter(silent, 2, options)).toBe(1_000);
    expect(pauseAfter(told(10), 2, options)).toBe(1_000);
    expect(pauseAfter(new Error('other'), 0, options)).toBe(250);
  });

  it('grows to half a minute and no further', () => {
    expect(pauseAfter(undefined, 50, { ...options, random: () => 1 })).toBe(30_000);
  });
});
