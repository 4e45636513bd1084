import { describe, expect, it } from 'vitest';
import { readAccess } from '../../src/config/access.ts';
import { readLoginConfig, readPasswordSource } from '../../src/config/login.ts';
import type { GivenFlags, Machine } from '../../src/config.ts';
import { errorOf, machine, on } from '../support/config.ts';

const filesOf = (flags: GivenFlags, changes: Partial<Machine> = {}) =>
  readAccess(flags, on(changes)).files.map(({ path, required }) => (required ? `${path} (required)` : path));

describe('files of credentials', () => {
  it("are podman's and then docker's", () => {
    expect(filesOf({})).toEqual([
      '/home/user/.config/containers/auth.json',
      '/home/user/.docker/config.json',
    ]);
    const env = { XDG_RUNTIME_DIR: '/run/user/7', XDG_CONFIG_HOME: '/cfg', DOCKER_CONFIG: 'docker' };
    expect(filesOf({}, { env })).toEqual([
      '/run/user/7/containers/auth.json',
      '/cfg/containers/auth.json',
      '/project/docker/config.json',
    ]);
  });

  it('are in /run for root without a runtime directory, and never at a relative one', () => {
    expect(filesOf({}, { superuser: true, home: '/root' })[0]).toBe('/run/containers/0/auth.json');
    const env = { XDG_RUNTIME_DIR: 'here', XDG_CONFIG_HOME: 'there' };
    expect(filesOf({}, { env })).toEqual(filesOf({}));
  });

  it('are one alone, which has to be there, when somebody names it', () => {
    const env = { REGISTRY_AUTH_FILE: '/env.json', DOCKER_CONFIG: '/docker' };
    expect(filesOf({}, { env })).toEqual(['/env.json (required)']);
    const newer = { ...env, LAYERPULL_AUTHFILE: 'newer.json' };
    expect(filesOf({}, { env: newer })).toEqual(['/project/newer.json (required)']);
    expect(filesOf({ authfile: '/flag.json' }, { env: newer })).toEqual(['/flag.json (required)']);
    expect(errorOf(() => filesOf({ authfile: ' ' })).code).toBe('usage');
  });
});

describe('--creds', () => {
  it.each([
    ['bob:hunter2', 'bob', 'hunter2'],
    ['bob:a:b', 'bob', 'a:b'],
    ['bob:', 'bob', ''],
  ])('%s has a user name and a password', (creds, username, password) => {
    expect(readAccess({ creds }, machine).given).toEqual({ username, password });
    const env = { LAYERPULL_CREDS: creds };
    expect(readAccess({}, on({ env })).given).toEqual({ username, password });
  });

  it.each(['hunter2', '', ':hunter2'])('"%s" is refused without repeating it', (creds) => {
    const error = errorOf(() => readAccess({ creds }, machine));
    expect([error.code, error.message]).toEqual(['usage', '--creds is not USER:PASSWORD']);
    expect(`${error.hint}`).not.toContain('hunter2');
  });
});

describe('login', () => {
  it("changes docker's file, or the one that is named", () => {
    const fileOf = (flags: GivenFlags, env: Machine['env'] = {}) =>
      readLoginConfig(flags, on({ env })).authFile;
    expect(fileOf({})).toBe('/home/user/.docker/config.json');
    expect(fileOf({}, { DOCKER_CONFIG: '/docker' })).toBe('/docker/config.json');
    expect(fileOf({}, { REGISTRY_AUTH_FILE: '/auth.json' })).toBe('/auth.json');
    expect(fileOf({ authfile: 'a.json' }, { REGISTRY_AUTH_FILE: '/auth.json' })).toBe('/project/a.json');
  });

  it('takes the password from stdin, from its flag, or from the keyboard', () => {
    expect(readPasswordSource({ username: 'bob', 'password-stdin': true })).toEqual({ kind: 'stdin' });
    expect(readPasswordSource({ password: 'p' })).toEqual({ kind: 'flag', password: 'p' });
    expect(readPasswordSource({ username: 'bob' })).toEqual({ kind: 'ask' });
  });

  it.each([{ 'password-stdin': true }, { username: 'bob', password: 'p', 'password-stdin': true }])(
    'refuses %o',
    (flags) => {
      expect(errorOf(() => readPasswordSource(flags)).code).toBe('usage');
    },
  );
});
