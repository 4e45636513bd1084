import { describe, expect, it } from 'vitest';
import { readTransfer } from '../../src/config/transfer.ts';
import { defaultStallMs } from '../../src/source/stall.ts';
import { errorOf, machine, on } from '../support/config.ts';

describe('the configuration of transfers', () => {
  it('limits nothing but silence by default', () => {
    expect(readTransfer({}, machine)).toEqual({
      stallTimeoutMs: defaultStallMs,
      bytesPerSecond: 0,
      requestsPerSecond: 0,
    });
  });

  it('comes from flags', () => {
    const flags = {
      'stall-timeout': '5s',
      'layer-timeout': '10m',
      timeout: '1h',
      'limit-rate': '10MiB',
      'limit-registry-rps': '20',
    };
    expect(readTransfer(flags, machine)).toEqual({
      stallTimeoutMs: 5_000,
      layerTimeoutMs: 600_000,
      timeoutMs: 3_600_000,
      bytesPerSecond: 10_485_760,
      requestsPerSecond: 20,
    });
  });

  it('comes from the environment, where a flag can take a limit away', () => {
    const limited = on({ env: { LAYERPULL_LIMIT_RATE: '1MiB', LAYERPULL_TIMEOUT: '5m' } });
    expect(readTransfer({}, limited)).toMatchObject({ bytesPerSecond: 1_048_576, timeoutMs: 300_000 });
    expect(readTransfer({ 'limit-rate': '0' }, limited).bytesPerSecond).toBe(0);
  });

  it.each([
    ['stall-timeout', '0s'],
    ['layer-timeout', 'long'],
    ['timeout', '5'],
    ['limit-rate', '10'],
    ['limit-rate', '1023B'],
    ['limit-rate', 'fast'],
    ['limit-registry-rps', '0.5'],
    ['limit-registry-rps', '-1'],
    ['limit-registry-rps', ''],
    ['limit-registry-rps', '100000'],
  ])('refuses --%s %s, by name', (name, text) => {
    const error = errorOf(() => readTransfer({ [name]: text }, machine));
    expect(error).toMatchObject({ code: 'usage', message: expect.stringContaining(`--${name}: "${text}"`) });
    expect(error.hint).toBeTruthy();
  });
});
