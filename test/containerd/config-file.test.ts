import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { readContainerdConfig, UnreadableConfig } from '../../src/containerd/config-file.ts';
import { tempDir } from '../support/temp.ts';

/** Writes files of a folder; answers where the first one is. */
function written(files: Readonly<Record<string, string>>): string {
  const folder = tempDir();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), text);
  }
  return path.join(folder, Object.keys(files)[0] ?? '');
}

const read = (text: string) => readContainerdConfig(written({ 'config.toml': text }));

async function refusal(file: string): Promise<UnreadableConfig> {
  const error = await readContainerdConfig(file).catch((thrown: unknown) => thrown);
  if (error instanceof UnreadableConfig) return error;
  throw new Error('it was read');
}

const proxy = (address: string) => `[proxy_plugins.layerpull]\ntype = "content"\naddress = "${address}"\n`;

describe('the configuration of containerd', () => {
  it.each([2, 3])('is read in version %i', async (version) => {
    const config = await read(
      [
        `version = ${version}`,
        'root = "/srv/containerd"',
        'disabled_plugins = ["io.containerd.content.v1.content"]',
        '[grpc]\naddress = "/run/c.sock"',
        proxy('/run/layerpull.sock'),
        '[proxy_plugins.stargz]\ntype = "snapshot"\naddress = "/run/stargz.sock"',
      ].join('\n'),
    );
    expect(config).toMatchObject({
      version,
      root: '/srv/containerd',
      socket: '/run/c.sock',
      disabledPlugins: ['io.containerd.content.v1.content'],
      contentProxies: [{ name: 'layerpull', address: '/run/layerpull.sock' }],
      isIsolated: false,
    });
  });

  it('has the values that containerd has where nothing is said', async () => {
    const { files: _, ...config } = await read('');
    expect(config).toEqual({
      version: 1,
      disabledPlugins: [],
      contentProxies: [],
      root: '/var/lib/containerd',
      socket: '/run/containerd/containerd.sock',
      isIsolated: false,
    });
  });

  it('knows a content store by either name of its type', async () => {
    const text =
      '[proxy_plugins.a]\ntype = "io.containerd.content.v1"\naddress = "/a"\n[proxy_plugins.b]\ntype = "diff"';
    expect((await read(text)).contentProxies).toEqual([{ name: 'a', address: '/a' }]);
  });

  it('tells that namespaces do not share content', async () => {
    const text =
      'version = 2\n[plugins."io.containerd.metadata.v1.bolt"]\ncontent_sharing_policy = "isolated"';
    expect((await read(text)).isIsolated).toBe(true);
    expect((await read(text.replace('isolated', 'shared'))).isIsolated).toBe(false);
  });

  it('joins what is imported as containerd does', async () => {
    const file = written({
      'config.toml': `version = 2\nroot = "/one"\nimports = ["conf.d/*.toml", "more.toml"]\ndisabled_plugins = ["a.b"]\n${proxy('/first')}`,
      'conf.d/10.toml': `disabled_plugins = ["io.containerd.content.v1.content"]\n${proxy('/second')}`,
      'conf.d/20.toml': 'root = ""\nimports = ["../config.toml"]',
      'conf.d/30.txt': 'root = "/no"',
      'more.toml': '[grpc]\naddress = "/run/more.sock"',
    });
    const config = await readContainerdConfig(file);
    expect(config.files.map((name) => path.basename(name))).toEqual([
      'config.toml',
      '10.toml',
      '20.toml',
      'more.toml',
    ]);
    expect(config).toMatchObject({
      version: 2,
      root: '/one',
      socket: '/run/more.sock',
      disabledPlugins: ['a.b', 'io.containerd.content.v1.content'],
      contentProxies: [{ name: 'layerpull', address: '/second' }],
    });
  });

  it('needs every file that is imported by its name', async () => {
    const file = written({ 'config.toml': 'imports = ["gone.toml"]' });
    expect(await refusal(file)).toMatchObject({
      file: path.join(path.dirname(file), 'gone.toml'),
      isAbsent: true,
      message: 'it is not there',
    });
  });

  it('is not there', async () => {
    const file = path.join(tempDir(), 'config.toml');
    expect(await refusal(file)).toMatchObject({ file, isAbsent: true });
    expect((await refusal(path.dirname(file))).isAbsent).toBe(false);
  });

  it.each([
    ['no TOML', 'version = ', /no TOML: .* in line 1$/],
    ['a list that is a text', 'disabled_plugins = "io.containerd.content.v1.content"', /"disabled_plugins"/],
    ['a list with a number', 'disabled_plugins = [1]', /"disabled_plugins\.0"/],
    ['a table that is a list', 'proxy_plugins = []', /"proxy_plugins"/],
    ['a table that is a text', 'plugins = "all"', /"plugins"/],
    ['an address that is a number', '[proxy_plugins.x]\naddress = 1', /"proxy_plugins\.x\.address"/],
    ['a version that is a text', 'version = "2"', /"version"/],
    ['a version that is no whole number', 'version = 2.5', /"version"/],
    ['a number that is none', 'version = 99999999999999999999', /no TOML/],
  ])('is refused with %s', async (_, text, reason) => {
    expect((await refusal(written({ 'config.toml': text }))).message).toMatch(reason);
  });

  it('repeats nothing of what stands in a line that is wrong', async () => {
    const { message } = await refusal(written({ 'config.toml': 'auth = "hunter2\n' }));
    expect(message).not.toContain('hunter2');
  });

  it('is not misled by names that every object has', async () => {
    const text =
      '[proxy_plugins.__proto__]\ntype = "content"\naddress = "/x"\n[proxy_plugins.constructor]\ntype = "snapshot"';
    expect((await read(text)).contentProxies.map(({ name }) => name)).not.toContain('constructor');
    expect(Reflect.get({}, 'address')).toBeUndefined();
  });

  it('waits for no pipe, and reads no endless file', async () => {
    const folder = tempDir();
    const pipe = path.join(folder, 'pipe.toml');
    execFileSync('mkfifo', [pipe]);
    expect((await refusal(pipe)).message).toBe('it is no file');
    expect((await refusal('/dev/zero')).message).toBe('it is no file');
    const long = written({ 'long.toml': '#'.repeat(1_048_577) });
    expect((await refusal(long)).message).toBe('it is longer than 1048576 bytes');
  });

  it('ends where files import files without end', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 120 }, (_, at) => [`${at}.toml`, `imports = ["${at + 1}.toml"]`]),
    );
    expect((await refusal(written(files))).message).toBe('it imports more than 100 files');
  });

  it('takes a pattern that could be read in many ways, at once', async () => {
    const file = written({
      'config.toml': `imports = ["${'*a'.repeat(40)}*.toml"]`,
      [`${'a'.repeat(60)}.toml`]: '',
    });
    expect((await readContainerdConfig(file)).files).toHaveLength(2);
  });

  it('survives tables in tables in tables', async () => {
    const deep = `x = ${'['.repeat(20_000)}${']'.repeat(20_000)}`;
    expect((await refusal(written({ 'config.toml': deep }))).message).toMatch(/no TOML/);
  });
});
