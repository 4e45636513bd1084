import { describe, expect, it } from 'vitest';
import { readPullConfig } from '../../src/config/pull.ts';
import { type GivenFlags, type Machine, readStatusConfig } from '../../src/config.ts';
import { errorOf, machine, on } from '../support/config.ts';

const withEnv = (env: Machine['env']) => on({ env });
const serversOf = (flags: GivenFlags, env: Machine['env'] = {}) =>
  readStatusConfig(flags, withEnv(env)).servers.map(String);

describe('the configuration of a pull', () => {
  it('has these defaults', () => {
    expect(readPullConfig({}, machine)).toEqual({
      version: '1.2.3',
      servers: [],
      store: '/home/user/.local/share/layerpull/store',
      node: 'host-1',
      platform: { os: 'linux', architecture: 'amd64' },
      concurrency: 6,
      plan: { allPlatforms: false, dryRun: false },
      registry: expect.objectContaining({ version: '1.2.3', plainHttp: false }),
      onLockFailure: 'fallback',
      bounds: {
        firstContactMs: 3_000,
        outOfReachMs: 5_000,
        minRateBytesPerSecond: 262_144,
        minRateWindowMs: 30_000,
      },
      peers: {
        silenceMs: 5_000,
        minBytesPerSecond: 16_384,
        minRateWindowMs: 10_000,
        maxTransfers: 128,
      },
      share: undefined,
      zone: undefined,
    });
  });

  it('prefers a flag to LAYERPULL_*, that to the older name, and that to the default', () => {
    const older = { NODE_ID: 'older', LOCK_SERVER_URL: 'http://older:1' };
    const current = { ...older, LAYERPULL_NODE: 'current', LAYERPULL_SERVER: 'current:2' };
    expect(readPullConfig({}, withEnv(older)).node).toBe('older');
    expect(readPullConfig({}, withEnv(current)).node).toBe('current');
    expect(readPullConfig({ node: 'flag' }, withEnv(current)).node).toBe('flag');
    expect(serversOf({}, older)).toEqual(['http://older:1/']);
    expect(serversOf({}, current)).toEqual(['http://current:2/']);
  });

  it('takes an empty variable for an absent one', () => {
    const config = readPullConfig(
      {},
      withEnv({ LAYERPULL_NODE: '', NODE_ID: 'older', LAYERPULL_CONCURRENCY: '' }),
    );
    expect(config).toMatchObject({ node: 'older', concurrency: 6 });
  });

  it.each([
    ['1', true],
    ['true', true],
    ['TRUE', true],
    ['0', false],
    ['false', false],
  ])('reads the switch LAYERPULL_PLAIN_HTTP=%s as %s', (text, expected) => {
    expect(readPullConfig({}, withEnv({ LAYERPULL_PLAIN_HTTP: text })).registry.plainHttp).toBe(expected);
  });

  it.each([
    ['x64', 'linux/amd64'],
    ['arm64', 'linux/arm64'],
    ['arm', 'linux/arm/v7'],
    ['ia32', 'linux/386'],
    ['ppc64', 'linux/ppc64le'],
    ['s390x', 'linux/s390x'],
  ])('calls the architecture %s %s', (architecture, expected) => {
    const { platform } = readPullConfig({}, on({ architecture }));
    expect(Object.values(platform).join('/')).toBe(expected);
  });

  it.each(['0', '65', '-1', '1.5', 'many', '', ' '])('refuses a concurrency of "%s"', (concurrency) => {
    const error = errorOf(() => readPullConfig({ concurrency }, machine));
    expect(error).toMatchObject({ code: 'usage', hint: 'give a whole number from 1 to 64' });
  });

  it.each(['', 'a b', 'a\u001b[31m', 'x'.repeat(254)])('refuses the node id "%s"', (node) => {
    expect(errorOf(() => readPullConfig({ node }, machine)).code).toBe('usage');
  });

  it('names the variable that is wrong, not a flag that nobody gave', () => {
    const error = errorOf(() => readPullConfig({}, withEnv({ LAYERPULL_ON_LOCK_FAILURE: 'maybe' })));
    expect(error.message).toBe('LAYERPULL_ON_LOCK_FAILURE: "maybe" is not known');
    expect(error.hint).toBe('choose one of fallback, fail');
  });
});

describe('the bounds of a pull', () => {
  it.each([
    ['500ms', 500],
    ['30s', 30_000],
    ['1m30s', 90_000],
    ['0.5s', 500],
    ['24h', 86_400_000],
  ])('reads the duration %s', (text, ms) => {
    expect(readPullConfig({ 'out-of-reach': text }, machine).bounds.outOfReachMs).toBe(ms);
    const env = withEnv({ LAYERPULL_OUT_OF_REACH: text });
    expect(readPullConfig({}, env).bounds.outOfReachMs).toBe(ms);
  });

  it.each(['', '5', '-5s', '5 s', '0s', '25h', '1d', 's'])('refuses the duration "%s"', (text) => {
    expect(errorOf(() => readPullConfig({ 'first-contact': text }, machine)).code).toBe('usage');
  });

  it.each([
    ['0', 0],
    ['1000', 1_000],
    ['256KiB', 262_144],
    ['1.5MiB', 1_572_864],
    ['2MB', 2_000_000],
  ])('reads the size %s', (text, bytes) => {
    expect(readPullConfig({ 'min-rate': text }, machine).bounds.minRateBytesPerSecond).toBe(bytes);
  });

  it.each(['', '-1', '1 KiB', '1k', 'KiB', '1e9'])('refuses the size "%s"', (text) => {
    expect(errorOf(() => readPullConfig({ 'min-rate': text }, machine)).code).toBe('usage');
  });
});
