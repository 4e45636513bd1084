import { describe, expect, it } from 'vitest';
import {
  type GivenFlags,
  type Machine,
  readMachine,
  readOutput,
  readPullConfig,
  readStatusConfig,
} from '../src/config.ts';
import { errorOf, machine, on } from './support/config.ts';

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
      concurrency: 4,
      plainHttp: false,
      onLockFailure: 'fallback',
      bounds: {
        firstContactMs: 3_000,
        outOfReachMs: 5_000,
        minRateBytesPerSecond: 262_144,
        minRateWindowMs: 30_000,
      },
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
    expect(config).toMatchObject({ node: 'older', concurrency: 4 });
  });

  it.each([
    ['1', true],
    ['true', true],
    ['TRUE', true],
    ['0', false],
    ['false', false],
  ])('reads the switch LAYERPULL_PLAIN_HTTP=%s as %s', (text, expected) => {
    expect(readPullConfig({}, withEnv({ LAYERPULL_PLAIN_HTTP: text })).plainHttp).toBe(expected);
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

describe('the store', () => {
  const storeOf = (flags: GivenFlags, changes: Partial<Machine>) =>
    readStatusConfig(flags, on(changes)).store;

  it('is under XDG_DATA_HOME, unless that is relative', () => {
    expect(storeOf({}, { env: { XDG_DATA_HOME: '/data' } })).toBe('/data/layerpull/store');
    expect(storeOf({}, { env: { XDG_DATA_HOME: 'data' } })).toBe('/home/user/.local/share/layerpull/store');
  });

  it('is in /var/lib for root', () => {
    expect(storeOf({}, { superuser: true, env: { XDG_DATA_HOME: '/data' } })).toBe(
      '/var/lib/layerpull/store',
    );
  });

  it('is made absolute', () => {
    expect(storeOf({ store: 'some/store' }, {})).toBe('/project/some/store');
    expect(storeOf({}, { env: { LAYERPULL_STORE: '/a/../b' } })).toBe('/b');
  });
});

describe('--server', () => {
  it('takes URLs and HOST:PORT, several of them', () => {
    expect(serversOf({ server: 'lock-1:8080, https://lock-2/base,[::1]:9' })).toEqual([
      'http://lock-1:8080/',
      'https://lock-2/base',
      'http://[::1]:9/',
    ]);
  });

  it('overrules the environment with nothing', () => {
    expect(serversOf({ server: '' }, { LAYERPULL_SERVER: 'lock:1' })).toEqual([]);
  });

  it.each([
    ['lock', '--server: "lock" has no port'],
    ['ftp://lock:1', '--server: "ftp://lock:1" is neither http nor https'],
    ['lock:99999', '--server: "lock:99999" is not the address of a lock server'],
    ['ok:1,http://', '--server: "http://" is not the address of a lock server'],
    ['http://lock:1/?a=b', '--server: "http://lock:1/?a=b" must end after its host and path'],
  ])('refuses %s', (server, message) => {
    expect(errorOf(() => serversOf({ server })).message).toBe(message);
  });

  it('refuses a password without repeating it', () => {
    const error = errorOf(() => serversOf({ server: 'http://user:secret@lock:1' }));
    expect(error.message).toBe('--server: "lock:1" must not carry a password');
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

describe('the output', () => {
  it('has these defaults', () => {
    expect(readOutput({}, machine)).toEqual({
      json: false,
      quiet: false,
      logLevel: 'warn',
      logFormat: 'auto',
      progress: 'auto',
      interactive: false,
      color: false,
    });
  });

  it('shows no progress and only errors when quiet, unless told otherwise', () => {
    expect(readOutput({ quiet: true }, machine, 'info')).toMatchObject({
      progress: 'none',
      logLevel: 'error',
    });
    const flags = { quiet: true, progress: 'json', 'log-level': 'debug' };
    expect(readOutput(flags, machine)).toMatchObject({ progress: 'json', logLevel: 'debug' });
  });

  it.each([
    [{}, true, true],
    [{}, false, false],
    [{ TERM: 'dumb' }, true, false],
    [{ NO_COLOR: '1' }, true, false],
    [{ NO_COLOR: '1', FORCE_COLOR: '1' }, true, false],
    [{ NO_COLOR: '' }, true, true],
    [{ FORCE_COLOR: '1' }, false, true],
    [{ FORCE_COLOR: '0' }, true, false],
  ])('with %o and terminal %s has colour %s', (env, stderrIsTerminal, color) => {
    expect(readOutput({}, on({ env, stderrIsTerminal })).color).toBe(color);
  });

  it('draws frames only on a terminal that can, and not in CI', () => {
    expect(readOutput({}, on({ stderrIsTerminal: true })).interactive).toBe(true);
    expect(readOutput({}, on({ stderrIsTerminal: true, env: { CI: 'true' } })).interactive).toBe(false);
    expect(readOutput({}, on({ stderrIsTerminal: true, env: { TERM: 'dumb' } })).interactive).toBe(false);
  });
});

describe('the machine', () => {
  it('is read from this process', () => {
    expect(readMachine('1.2.3')).toMatchObject({
      version: '1.2.3',
      architecture: process.arch,
      env: process.env,
    });
  });
});
