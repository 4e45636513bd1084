import { describe, expect, it } from 'vitest';
import { type GivenFlags, type Machine, readMachine, readOutput, readStatusConfig } from '../src/config.ts';
import { errorOf, machine, on } from './support/config.ts';

const withEnv = (env: Machine['env']) => on({ env });
const serversOf = (flags: GivenFlags, env: Machine['env'] = {}) =>
  readStatusConfig(flags, withEnv(env)).servers.map(String);

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
