import { describe, expect, it } from 'vitest';
import { readServeConfig } from '../../src/config/serve.ts';
import type { GivenFlags } from '../../src/config/values.ts';
import { keys } from '../../src/lock/backends/etcd/keys.ts';
import { errorOf, machine, on } from '../support/config.ts';

const read = (flags: GivenFlags, env: Readonly<Record<string, string>> = {}) =>
  readServeConfig(flags, on({ env }));
const refused = (flags: GivenFlags, env: Readonly<Record<string, string>> = {}) =>
  errorOf(() => read(flags, env));
const told = (flags: GivenFlags, env: Readonly<Record<string, string>> = {}) => {
  const { code, message, hint } = refused(flags, env);
  return [code, message, hint];
};

/** What keys of a cluster begin with. */
const texts = Object.values(keys).filter((key) => typeof key === 'string');
const names = [...new Set(texts.map((key) => key.replace(/\/.*/, '')))];

describe('--backend', () => {
  it.each([
    ['etcd://10.0.0.1:2379', ['10.0.0.1:2379'], 'layerpull'],
    ['etcd://h1:2379,h2:2380,h3:2381', ['h1:2379', 'h2:2380', 'h3:2381'], 'layerpull'],
    ['etcd://h1,h2', ['h1:2379', 'h2:2379'], 'layerpull'],
    ['etcd://h1, h2', ['h1:2379', 'h2:2379'], 'layerpull'],
    ['etcd://[::1]:2379,[FE80::1]', ['[::1]:2379', '[fe80::1]:2379'], 'layerpull'],
    ['etcd://etcd-1.example:2379/', ['etcd-1.example:2379'], 'layerpull'],
    ['etcd://h1/fleet-a', ['h1:2379'], 'fleet-a'],
    ['etcd://h1/teams/a_1.b/', ['h1:2379'], 'teams/a_1.b'],
    ['etcd://h1:2379,H1,h1', ['h1:2379'], 'layerpull'],
    ['etcd://h1/live', ['h1:2379'], 'live'],
    ['etcd://h1/layerpull/lively', ['h1:2379'], 'layerpull/lively'],
  ])('reads %s', (backend, endpoints, prefix) => {
    expect(read({ backend }).backend).toEqual({ endpoints, prefix });
  });

  it('means TLS with etcds, by the authorities that Node trusts', () => {
    expect(read({ backend: 'etcds://h1/x' }).backend).toEqual({
      endpoints: ['h1:2379'],
      prefix: 'x',
      tls: {},
    });
  });

  it('keeps nothing on this machine', () => {
    expect(read({ backend: 'etcd://h1' }).data).toBeUndefined();
    expect(read({}).backend).toBeUndefined();
  });

  it('is taken from the environment and the configuration file too, and an empty flag overrules them', () => {
    const env = { LAYERPULL_BACKEND: 'etcd://h1' };
    expect(read({}, env).backend?.endpoints).toEqual(['h1:2379']);
    const settings = new Map([['backend', 'etcd://h2']]);
    const file = { path: '/c.toml', settings, registries: new Map() };
    expect(readServeConfig({}, on({ file })).backend?.endpoints).toEqual(['h2:2379']);
    const without = read({ backend: '' }, env);
    expect([without.backend, without.data]).toEqual([undefined, '/home/user/.local/share/layerpull/locks']);
  });

  it.each([
    'http://h1:2379',
    'h1:2379',
    'ETCD://h1',
    'etcd:h1',
    'etcd:/h1',
    'etcd://h1?x=1',
    'etcd://h1#x',
    ' etcd://h1',
  ])('refuses "%s", which is no URL of an etcd', (backend) => {
    expect(told({ backend })).toEqual([
      'usage',
      `--backend: "${backend}" is not the URL of an etcd`,
      'such as etcd://10.0.0.1:2379,10.0.0.2:2379,10.0.0.3:2379/layerpull',
    ]);
  });

  it.each(['etcd://', 'etcd:///x', 'etcd://h1,', 'etcd://,h1', 'etcd://h1,,h2'])(
    'refuses "%s", in which a member has no name',
    (backend) => {
      expect(refused({ backend }).message).toBe(`--backend: "${backend}" has a member without a name`);
    },
  );

  it.each(['h1:', 'h1:0', 'h1:65536', 'h1:x', '::1', '[::1', '[h1]', '[1.2.3.4]:1', '-h', 'h 1', 'h1:1:2'])(
    'refuses %s as a member, and says which it is',
    (member) => {
      expect(refused({ backend: `etcd://good:2379,${member}` }).message).toBe(
        `--backend: "${member}" is not HOST:PORT`,
      );
    },
  );

  it('refuses more members than an etcd has', () => {
    const backend = `etcd://${Array.from({ length: 33 }, (_, at) => `h${at}`).join(',')}`;
    expect(refused({ backend }).message).toBe('--backend: "etcd://…" names 33 members');
  });

  it.each(['a//b', '/x', 'a b', 'ä', 'x'.repeat(129), 'a%2fb'])('refuses the prefix "%s"', (prefix) => {
    expect(refused({ backend: `etcd://h1/${prefix}` }).message).toContain('is not a prefix for keys');
  });

  it.each(names)(
    'refuses a prefix among the keys of another cluster, which has "%s" below its own',
    (name) => {
      const prefix = `teams/layerpull/${name}/log`;
      expect(told({ backend: `etcd://h1/${prefix}` })).toEqual([
        'usage',
        `--backend: "${prefix}" lies among the keys of servers with the prefix "teams/layerpull"`,
        'have "meta", "live", "snapshot" behind no "/"',
      ]);
      expect(refused({ backend: `etcd://h1/a/${name}` }).code).toBe('usage');
    },
  );

  it.each([
    'etcd://root:hunter2@h1',
    'etcd://root:hun/ter2@h1',
    'etcd://h1,root:hunter2@h2:2379/x',
    'https://root:hunter2@h1',
    'root:hunter2@h1',
  ])('refuses a password in the URL without showing it: %s', (backend) => {
    const error = refused({}, { LAYERPULL_BACKEND: backend });
    expect([error.code, error.message]).toEqual([
      'usage',
      'LAYERPULL_BACKEND: a user and a password do not belong into the URL',
    ]);
    expect(error.hint).toBe('give --etcd-user NAME and --etcd-password-file FILE');
  });
});

describe('--backend with what a server keeps itself', () => {
  it.each([
    [{ backend: 'etcd://h1', data: '/d' }, {}, '--backend and --data exclude each other'],
    [{ backend: 'etcd://h1', ephemeral: true }, {}, '--backend and --ephemeral exclude each other'],
    [{ data: '/d' }, { LAYERPULL_BACKEND: 'etcd://h1' }, 'LAYERPULL_BACKEND and --data exclude each other'],
  ])('is refused where it is a flag: %o %o', (flags, env, message) => {
    expect(refused(flags, env).message).toBe(message);
  });

  it('says how to do without etcd where the environment names one', () => {
    const [, , hint] = told({ ephemeral: true }, { LAYERPULL_BACKEND: 'etcd://h1' });
    expect(hint).toBe(`leave --ephemeral out, or give --backend '' to do without etcd`);
    expect(read({ ephemeral: true, backend: '' }, { LAYERPULL_BACKEND: 'etcd://h1' }).data).toBeUndefined();
  });

  it('wins where the environment says it', () => {
    const env = { LAYERPULL_DATA: '/d', LAYERPULL_EPHEMERAL: '1' };
    const { backend, data } = read({ backend: 'etcd://h1' }, env);
    expect([backend?.endpoints, data]).toEqual([['h1:2379'], undefined]);
  });
});

describe('the files for etcd', () => {
  const backend = 'etcds://h1';

  it('are found from the directory in which the command runs', () => {
    const flags = {
      'etcd-ca': 'ca.pem',
      'etcd-cert': '/etc/c.pem',
      'etcd-key': 'k.pem',
      'etcd-user': 'lock',
      'etcd-password-file': 'pw',
    };
    expect(read({ backend, ...flags }).backend).toMatchObject({
      tls: { caFile: '/project/ca.pem', certFile: '/etc/c.pem', keyFile: '/project/k.pem' },
      user: { name: 'lock', passwordFile: '/project/pw' },
    });
  });

  it('mean TLS, also at etcd://', () => {
    expect(read({ backend: 'etcd://h1', 'etcd-ca': '/ca' }).backend?.tls).toEqual({ caFile: '/ca' });
    expect(read({ backend: 'etcd://h1' }, { LAYERPULL_ETCD_CA: '/ca' }).backend?.tls).toEqual({
      caFile: '/ca',
    });
  });

  it.each([
    ['etcd-cert', '--etcd-cert is given without --etcd-key', 'a certificate and its key go together'],
    ['etcd-key', '--etcd-key is given without --etcd-cert', 'a certificate and its key go together'],
    ['etcd-user', '--etcd-user is given without --etcd-password-file', 'a user and its password go together'],
    [
      'etcd-password-file',
      '--etcd-password-file is given without --etcd-user',
      'a user and its password go together',
    ],
  ])('go together: --%s alone is refused', (name, message, hint) => {
    expect(told({ backend, [name]: 'x' })).toEqual(['usage', message, hint]);
  });

  it.each(['etcd-ca', 'etcd-cert', 'etcd-key', 'etcd-password-file'])('have names: --%s " "', (name) => {
    expect(refused({ backend, [name]: ' ' }).message).toBe(`--${name}: " " names no file`);
  });

  it.each(['a b', 'a:b', 'a\n', ' '])('are for users with names, which "%s" is not', (name) => {
    const flags = { backend, 'etcd-user': name, 'etcd-password-file': 'pw' };
    expect(refused(flags).message).toContain('is no name of a user');
  });

  it.each(['etcd-ca', 'etcd-cert', 'etcd-key', 'etcd-user', 'etcd-password-file'])(
    'have no use without --backend: --%s is refused as a flag, and left alone as a variable',
    (name) => {
      expect(told({ [name]: 'x' })).toEqual([
        'usage',
        `--${name} is for a server that keeps its locks in etcd`,
        'give --backend etcd://HOST:2379, too',
      ]);
      const variable = `LAYERPULL_${name.toUpperCase().replaceAll('-', '_')}`;
      expect(read({}, { [variable]: 'x' }).backend).toBeUndefined();
    },
  );

  it('may be taken away by an empty flag', () => {
    const env = { LAYERPULL_ETCD_CERT: '/c', LAYERPULL_ETCD_KEY: '/k', LAYERPULL_ETCD_CA: '/ca' };
    const flags = { backend, 'etcd-cert': '', 'etcd-key': '', 'etcd-ca': '' };
    expect(read(flags, env).backend?.tls).toEqual({});
    expect(readServeConfig({ backend, 'etcd-user': '' }, machine).backend?.user).toBeUndefined();
  });
});
