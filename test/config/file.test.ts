import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { withConfigFile } from '../../src/config/file.ts';
import { readPullConfig } from '../../src/config/pull.ts';
import { readServeConfig } from '../../src/config/serve.ts';
import type { GivenFlags, Machine } from '../../src/config/values.ts';
import { readOutput, readStatusConfig } from '../../src/config.ts';
import { on } from '../support/config.ts';
import { tempDir } from '../support/temp.ts';

const names = () =>
  'server store node concurrency log-level quiet plain-http mirror mirror-order addr session-ttl config json'.split(
    ' ',
  );

/** Reads a configuration file with this text as the user's own. */
async function reading(text: string, flags: GivenFlags = {}, changes: Partial<Machine> = {}) {
  const home = tempDir();
  const file = path.join(home, '.config', 'layerpull', 'config.toml');
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
  const machine = await withConfigFile(on({ home, ...changes }), flags, names);
  return { file, machine };
}

describe('the configuration file', () => {
  it('sets every kind of value by the name of its flag, for all commands', async () => {
    const { machine } = await reading(`
      server = ["http://one:1", "two:2"]
      store = "/srv/layers"
      concurrency = 2
      quiet = true
      plain-http = true
      addr = "127.0.0.1:1"
      session-ttl = "30s"
    `);
    expect(readPullConfig({}, machine)).toMatchObject({
      servers: [new URL('http://one:1'), new URL('http://two:2')],
      store: '/srv/layers',
      concurrency: 2,
      registry: { plainHttp: true },
    });
    expect(readStatusConfig({}, machine)).toMatchObject({ store: '/srv/layers' });
    expect(readServeConfig({}, machine)).toMatchObject({ port: 1, bounds: { ttlMs: 30_000 } });
    expect(readOutput({}, machine)).toMatchObject({ quiet: true });
  });

  it('yields to flags, to LAYERPULL_* and to older names', async () => {
    const text = 'node = "file"';
    const nodeOf = async (flags: GivenFlags, env: Machine['env']) =>
      readPullConfig(flags, (await reading(text, {}, { env })).machine).node;
    expect(await nodeOf({}, {})).toBe('file');
    expect(await nodeOf({}, { NODE_ID: 'older' })).toBe('older');
    expect(await nodeOf({}, { NODE_ID: 'older', LAYERPULL_NODE: 'current' })).toBe('current');
    expect(await nodeOf({ node: 'flag' }, { LAYERPULL_NODE: 'current' })).toBe('flag');
  });

  it('names itself and the key where a value is wrong', async () => {
    const { file, machine } = await reading('concurrency = 99');
    expect(() => readPullConfig({}, machine)).toThrow(`${file}: concurrency: "99" is not a number of layers`);
  });

  it.each([
    ['concurency = 4', 'has the unknown key "concurency"', 'it may say addr, concurrency'],
    ['json = true', 'has the unknown key "json"', 'give it on the command line'],
    ['config = "other"', 'has the unknown key "config"', 'give it on the command line'],
    ['[table]\nnode = "a"', 'has the unknown key "table"', 'it may say'],
    ['node = { a = 1 }', 'has something for "node" that is no text', 'mend it'],
    ['node = 2026-01-01', 'has something for "node" that is no text', 'mend it'],
    ['server = [1]', 'has something for "server" that is no text', 'mend it'],
    ['server = ["a,b"]', 'has a comma in an entry of "server"', 'mend it'],
    ['registry = 1', 'has a registry that is no table', '[registry."docker.io"]'],
    ['[registry]\nmirror = "x"', 'has a registry that is no table', '[registry."docker.io"]'],
    ['[registry."https://a"]', 'has "https://a" for a registry', '[registry."docker.io"]'],
    ['node = "a"\nnode = "b"', 'is no TOML', 'in line 2'],
    ['node = ', 'is no TOML', 'in line 1'],
  ])('that says %j is refused', async (text, problem, more) => {
    const home = tempDir();
    const file = path.join(home, 'config.toml');
    writeFileSync(file, text);
    const error = await withConfigFile(on({ home }), { config: file }, names).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'usage', message: expect.stringContaining(`${file} ${problem}`) });
    expect(`${error.message} ${error.hint}`).toContain(more);
    expect(error.message).not.toContain('\n');
  });

  it('names the table where a registry has an unknown key', async () => {
    await expect(reading('[registry."docker.io"]\nmirrors = []')).rejects.toMatchObject({
      message: expect.stringMatching(
        /config\.toml: \[registry\."docker\.io"\] has the unknown key "mirrors"$/,
      ),
      hint: 'it may say mirror, mirror-count, mirror-order',
    });
  });

  it('repeats nothing of a text that cannot be read, which may hold a secret', async () => {
    const error = await reading('creds = "user:pass').catch((thrown) => thrown);
    expect(`${error.message} ${error.hint}`).not.toContain('pass');
  });

  it('cannot reach what every object has by nature', async () => {
    const { machine } = await reading('[registry."docker.io"]\n');
    expect(readPullConfig({}, machine).registry.mirrors.byRegistry.size).toBe(0);
    await expect(reading('__proto__ = 1')).rejects.toMatchObject({ code: 'usage' });
    await expect(reading('constructor = 1')).rejects.toMatchObject({ code: 'usage' });
  });
});

describe('where the configuration file is', () => {
  const nodeOf = (machine: Machine) => readPullConfig({}, machine).node;
  const write = (folder: string, name: string, node: string) => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, name), `node = "${node}"`);
    return path.join(folder, name);
  };

  it('is $XDG_CONFIG_HOME/layerpull, and ~/.config/layerpull where that is no absolute path', async () => {
    const home = tempDir();
    write(path.join(home, '.config/layerpull'), 'config.toml', 'home');
    write(path.join(home, 'xdg/layerpull'), 'config.toml', 'xdg');
    const read = (env: Machine['env']) => withConfigFile(on({ home, env }), {}, names);
    expect(nodeOf(await read({ XDG_CONFIG_HOME: `${home}/xdg` }))).toBe('xdg');
    expect(nodeOf(await read({ XDG_CONFIG_HOME: 'xdg' }))).toBe('home');
    expect(nodeOf(await read({}))).toBe('home');
  });

  it('is another one by --config before LAYERPULL_CONFIG, relative to the working directory', async () => {
    const workingDirectory = tempDir();
    write(workingDirectory, 'a.toml', 'flag');
    const env = { LAYERPULL_CONFIG: write(workingDirectory, 'b.toml', 'variable') };
    const read = (flags: GivenFlags) => withConfigFile(on({ workingDirectory, env }), flags, names);
    expect(nodeOf(await read({ config: 'a.toml' }))).toBe('flag');
    expect(nodeOf(await read({}))).toBe('variable');
    expect(nodeOf(await read({ config: '' }))).toBe('host-1');
  });

  it('is nowhere for root in a home', async () => {
    const home = tempDir();
    write(path.join(home, '.config/layerpull'), 'config.toml', 'home');
    expect(nodeOf(await withConfigFile(on({ home, superuser: true }), {}, names))).toBe('host-1');
  });

  it('may be empty of one, and then costs no list of flags', async () => {
    const machine = on({ home: tempDir() });
    const read = withConfigFile(machine, {}, () => {
      throw new Error('nobody needs the names');
    });
    expect(await read).toBe(machine);
  });

  it('has to be there when it was named, and has to be a file', async () => {
    const home = tempDir();
    await expect(withConfigFile(on({}), { config: `${home}/none` }, names)).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining('cannot be read: ENOENT'),
    });
    await expect(withConfigFile(on({}), { config: home }, names)).rejects.toMatchObject({ code: 'usage' });
  });
});
