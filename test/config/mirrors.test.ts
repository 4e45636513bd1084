import { describe, expect, it } from 'vitest';
import { readMirrors } from '../../src/config/mirrors.ts';
import type { ConfigFile, GivenFlags } from '../../src/config/values.ts';
import { errorOf, machine, on } from '../support/config.ts';

const given = (flags: GivenFlags) => readMirrors(flags, machine).given;
const hosts = (flags: GivenFlags) => given(flags)?.places.map(({ host }) => host);

/** A configuration file with these settings, and these for registries. */
function file(
  settings: Record<string, string>,
  registries: Record<string, Record<string, string>> = {},
): ConfigFile {
  const tables = Object.entries(registries).map(([name, table]) => [name, toMap(table)] as const);
  return { path: '/etc/config.toml', settings: toMap(settings), registries: new Map(tables) };
}

const toMap = (record: Record<string, string>) => new Map(Object.entries(record));

describe('mirrors', () => {
  it('are none, and these are the bounds, when nobody says anything', () => {
    expect(readMirrors({}, machine)).toEqual({
      given: undefined,
      byRegistry: new Map(),
      byDefault: undefined,
      shuffled: false,
      coolDownMs: 60_000,
      minRateBytesPerSecond: 4_096,
      minRateWindowMs: 30_000,
      registriesConf: {
        choices: [
          {
            file: '/home/user/.config/containers/registries.conf',
            folders: ['/home/user/.config/containers/registries.conf.d'],
          },
          {
            file: '/etc/containers/registries.conf',
            folders: ['/etc/containers/registries.conf.d', '/home/user/.config/containers/registries.conf.d'],
          },
        ],
        required: false,
      },
    });
  });

  it('are a list of URLs, with or without scheme, port and path', () => {
    expect(given({ mirror: 'http://10.0.0.11:5000, https://m.example/proxy/hub/ ,m.example:8080' })).toEqual({
      places: [
        { scheme: 'http', host: '10.0.0.11:5000', path: '' },
        { scheme: 'https', host: 'm.example', path: 'proxy/hub' },
        { host: 'm.example:8080', path: '' },
      ],
      shuffled: false,
    });
  });

  it('are none, whatever the files say, for an empty list', () => {
    expect(readMirrors({ mirror: '' }, on({ file: file({ mirror: 'http://a' }) })).given).toEqual({
      places: [],
      shuffled: false,
    });
  });

  it('are counted on from an IPv4 address, up to .254', () => {
    expect(hosts({ mirror: 'http://10.0.0.11:5000', 'mirror-count': '3' })).toEqual([
      '10.0.0.11:5000',
      '10.0.0.12:5000',
      '10.0.0.13:5000',
    ]);
    expect(hosts({ mirror: '10.0.0.253', 'mirror-count': '9' })).toEqual(['10.0.0.253', '10.0.0.254']);
    expect(hosts({ mirror: '10.0.0.254', 'mirror-count': '1' })).toEqual(['10.0.0.254']);
  });

  it.each([
    [{ mirror: 'http://m.example:5000', 'mirror-count': '3' }, '"m.example:5000" is no IPv4 address'],
    [{ mirror: 'http://[fd00::1]:5000', 'mirror-count': '3' }, '"[fd00::1]:5000" is no IPv4 address'],
    [{ mirror: 'http://10.0.0.255', 'mirror-count': '2' }, '"10.0.0.255" lies behind .254'],
    [{ mirror: 'http://10.0.0.1', 'mirror-count': '0' }, '--mirror-count: "0" is not a number of mirrors'],
    [{ mirror: 'http://10.0.0.1', 'mirror-count': '255' }, 'is not a number of mirrors'],
    [{ 'mirror-count': '3' }, '--mirror-count: "3" counts no mirror'],
    [{ mirror: 'ftp://m.example' }, 'is neither http nor https'],
    [{ mirror: 'http://' }, 'is not the address of a mirror'],
    [{ mirror: 'http://m.example/?ns=docker.io' }, 'must end after its host and path'],
    [{ mirror: 'http://m.example/v2/' }, 'has a path that is no repository name'],
    [{ mirror: 'http://m.example/a/../b/%2e%2e/C' }, 'has a path that is no repository name'],
    [{ 'mirror-order': 'random' }, 'choose one of ordered, shuffled'],
  ])('refuse %j', (flags, problem) => {
    const error = errorOf(() => readMirrors(flags, machine));
    expect([error.code, `${error.message} ${error.hint}`]).toEqual([
      'usage',
      expect.stringContaining(problem),
    ]);
  });

  it.each([
    'http://user:secret@m.example',
    'http://user:secret@m.example:99999',
    'user:secret@:1',
    'http://us/er:secret@m.example',
    'http://user?secret@m.example',
    'ftp:///user:secret@m.example',
  ])('never repeat the password of %s', (mirror) => {
    const { message, hint } = errorOf(() => readMirrors({ mirror }, machine));
    expect(`${message} ${hint}`).not.toContain('secret');
  });

  it('may be shuffled', () => {
    expect(given({ mirror: 'a:1', 'mirror-order': 'shuffled' })?.shuffled).toBe(true);
    expect(readMirrors({ 'mirror-order': 'shuffled' }, machine).shuffled).toBe(true);
  });
});

describe('mirrors of a configuration file', () => {
  const read = (flags: GivenFlags, config: ConfigFile, env = {}) =>
    readMirrors(flags, on({ env, file: config }));

  it('are for one registry or for all others', () => {
    const config = read({}, file({ mirror: 'a:1' }, { 'docker.io': { mirror: 'b:1,c:1' } }));
    expect(config.given).toBeUndefined();
    expect(config.byDefault?.places).toEqual([{ host: 'a:1', path: '' }]);
    expect(config.byRegistry.get('docker.io')?.places.map(({ host }) => host)).toEqual(['b:1', 'c:1']);
  });

  it('are kept apart from those of the command line and of the environment', () => {
    const config = file({ mirror: 'a:1' });
    expect(read({ mirror: 'flag:1' }, config).given?.places[0]?.host).toBe('flag:1');
    expect(read({}, config, { LAYERPULL_MIRROR: 'env:1' }).given?.places[0]?.host).toBe('env:1');
  });

  it('have a count and an order of their own for each registry', () => {
    const table = { mirror: 'http://10.0.0.1', 'mirror-count': '2', 'mirror-order': 'shuffled' };
    const config = read(
      {},
      file({ 'mirror-order': 'ordered' }, { 'docker.io': table, 'b.example': { mirror: 'x:1' } }),
    );
    expect(config.byRegistry.get('docker.io')).toMatchObject({ shuffled: true, places: [{}, {}] });
    expect(config.byRegistry.get('b.example')).toMatchObject({ shuffled: false });
  });

  it('take the order of the command line before their own', () => {
    const config = file({}, { 'docker.io': { mirror: 'a:1', 'mirror-order': 'shuffled' } });
    expect(read({ 'mirror-order': 'ordered' }, config).byRegistry.get('docker.io')?.shuffled).toBe(false);
  });

  it('are named with their table where they are wrong', () => {
    const config = file({}, { 'docker.io': { mirror: 'ftp://a' } });
    expect(errorOf(() => read({}, config)).message).toBe(
      '/etc/config.toml: [registry."docker.io"]: mirror: "ftp://a" is neither http nor https',
    );
  });
});

describe('where registries.conf is', () => {
  const places = (flags: GivenFlags, env = {}) => readMirrors(flags, on({ env })).registriesConf;

  it('is said by --registries-conf, then LAYERPULL_REGISTRIES_CONF, then CONTAINERS_REGISTRIES_CONF', () => {
    const older = { CONTAINERS_REGISTRIES_CONF: '/older' };
    const current = { ...older, LAYERPULL_REGISTRIES_CONF: '/current' };
    expect(places({}, older)).toMatchObject({ choices: [{ file: '/older' }], required: true });
    expect(places({}, current)).toMatchObject({ choices: [{ file: '/current' }] });
    expect(places({ 'registries-conf': 'flag' }, current)).toMatchObject({
      choices: [{ file: '/project/flag' }],
    });
  });

  it('is nowhere when it is said to be empty', () => {
    expect(places({ 'registries-conf': '' })).toEqual({ choices: [], required: false });
  });

  it('follows XDG_CONFIG_HOME', () => {
    expect(places({}, { XDG_CONFIG_HOME: '/xdg' }).choices[0]?.file).toBe('/xdg/containers/registries.conf');
  });
});
