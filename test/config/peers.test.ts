import { describe, expect, it } from 'vitest';
import { readAgentConfig } from '../../src/config/agent.ts';
import { parseConfigFile } from '../../src/config/file-content.ts';
import { readPullConfig } from '../../src/config/pull.ts';
import { errorOf, machine, on } from '../support/config.ts';

const standard = { silenceMs: 5_000, minBytesPerSecond: 16_384, minRateWindowMs: 10_000, maxTransfers: 128 };
const variables = {
  LAYERPULL_PEER_STALL_TIMEOUT: '10s',
  LAYERPULL_PEER_MIN_RATE: '1MiB',
  LAYERPULL_PEER_MIN_RATE_WINDOW: '1m',
  LAYERPULL_MAX_TRANSFERS: '32',
};

describe.each([
  ['a pull', readPullConfig],
  ['an agent', readAgentConfig],
])('what %s bears of other nodes', (_, read) => {
  it('has these defaults', () => {
    expect(read({}, machine).peers).toEqual(standard);
  });

  it('is taken from variables, and from flags before them', () => {
    const given = { silenceMs: 10_000, minBytesPerSecond: 1_048_576, minRateWindowMs: 60_000 };
    expect(read({}, on({ env: variables })).peers).toEqual({ ...given, maxTransfers: 32 });
    const flags = { 'peer-min-rate': '0', 'max-transfers': '1000' };
    expect(read(flags, on({ env: variables })).peers).toEqual({
      ...{ ...given, minBytesPerSecond: 0, maxTransfers: 1_000 },
    });
  });

  it('is taken from the file', () => {
    const text = 'peer-stall-timeout = "2s"\npeer-min-rate = "64KiB"\nmax-transfers = 7';
    const flags = ['peer-stall-timeout', 'peer-min-rate', 'max-transfers'];
    const file = parseConfigFile('/config.toml', text, flags);
    expect(read({}, on({ file })).peers).toEqual({
      ...{ silenceMs: 2_000, minBytesPerSecond: 65_536, minRateWindowMs: 10_000, maxTransfers: 7 },
    });
  });

  it.each([
    ['peer-stall-timeout', '0s', 'is not between 1ms and 24h'],
    ['peer-stall-timeout', 'soon', 'is not a duration'],
    ['peer-min-rate', 'slow', 'is not a size'],
    ['peer-min-rate-window', '25h', 'is not between 1ms and 24h'],
    ['max-transfers', '0', 'is not a number of transfers'],
    ['max-transfers', '1001', 'is not a number of transfers'],
    ['max-transfers', '1.5', 'is not a number of transfers'],
    ['max-transfers', '', 'is not a number of transfers'],
  ])('is refused for --%s %s, in one line that names it', (name, text, problem) => {
    const error = errorOf(() => read({ [name]: text }, machine));
    expect([error.code, error.message]).toEqual(['usage', `--${name}: "${text}" ${problem}`]);
    expect(error.hint).toMatch(/^give /);
  });

  it('does not change what it bears of its lock server and of who downloads for it', () => {
    expect(read({}, machine).bounds).toEqual({
      ...{ firstContactMs: 3_000, outOfReachMs: 5_000 },
      ...{ minRateBytesPerSecond: 262_144, minRateWindowMs: 30_000 },
    });
    const flags = { 'first-contact': '1s', 'out-of-reach': '2s', 'min-rate': '0', 'min-rate-window': '3s' };
    expect(read(flags, machine).bounds).toEqual({
      ...{ firstContactMs: 1_000, outOfReachMs: 2_000, minRateBytesPerSecond: 0, minRateWindowMs: 3_000 },
    });
  });
});
