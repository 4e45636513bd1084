import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { parseReference } from '../../src/registry/reference.ts';
import { createRegistriesConf } from '../../src/registry/registries-conf.ts';
import { loadRegistriesConf } from '../../src/registry/registries-files.ts';
import { tempDir } from '../support/temp.ts';

const confOf = (...texts: string[]) =>
  createRegistriesConf(texts.map((text, index) => ({ path: `/conf-${index}`, document: parse(text) })));

/** `host/repository` of the mirrors and, last, of the registry. */
function servers(text: string, image: string): string[] | undefined {
  const found = confOf(text).find(parseReference(image));
  return found && [...found.mirrors, found.location].map(({ host, repository }) => `${host}/${repository}`);
}

const digest = `sha256:${'0'.repeat(64)}`;

describe('registries.conf', () => {
  it('gives the mirrors of a registry before the registry', () => {
    const text = `
      unqualified-search-registries = ["quay.io"]
      short-name-mode = "enforcing"
      [[registry]]
      location = "docker.io"
      [[registry.mirror]]
      location = "10.0.0.11:5000"
      [[registry.mirror]]
      location = "mirror.example/hub/"
      insecure = true
      [aliases]
      "fedora" = "registry.fedoraproject.org/fedora"
    `;
    expect(servers(text, 'busybox')).toEqual([
      '10.0.0.11:5000/library/busybox',
      'mirror.example/hub/library/busybox',
      'docker.io/library/busybox',
    ]);
    const found = confOf(text).find(parseReference('busybox'));
    expect(found?.mirrors.map(({ insecure }) => insecure)).toEqual([false, true]);
  });

  it('says nothing of other registries', () => {
    expect(servers('[[registry]]\nlocation = "docker.io"', 'quay.io/a/b')).toBeUndefined();
  });

  it.each([
    ['example.com', 'example.com/foo/image', 'internal/bar/foo/image'],
    ['example.com/foo', 'example.com/foo/image:1', 'internal/bar/image'],
    ['example.com/foo/image', 'example.com/foo/image', 'internal/bar'],
    ['example.com:5000', 'example.com:5000/image', 'internal/bar/image'],
    ['*.example.com', 'a.b.example.com/image', 'internal/bar/image'],
    ['*.example.com', 'a.example.com:5000/image', undefined],
  ])('replaces the prefix %s of %s by its location', (prefix, image, expected) => {
    const text = `[[registry]]\nprefix = "${prefix}"\nlocation = "internal.example/bar"`;
    const result = expected?.replace('internal', 'internal.example');
    if (result === undefined) expect(() => servers(text, image)).toThrow('which is no image name');
    else expect(servers(text, image)).toEqual([result]);
  });

  it.each([
    ['example.com', 'example.community/image'],
    ['example.com/foo', 'example.com/foobar'],
    ['*.example.com', 'example.com/image'],
    ['*.example.com', 'other.com/a.example.com/image'],
  ])('does not take the prefix %s for the beginning of %s', (prefix, image) => {
    expect(servers(`[[registry]]\nprefix = "${prefix}"\nlocation = "x.example"`, image)).toBeUndefined();
  });

  it('lets a prefix with a star stand without a location', () => {
    const text = '[[registry]]\nprefix = "*.example.com"\n[[registry.mirror]]\nlocation = "m.example"';
    expect(servers(text, 'a.example.com/image')).toEqual(['m.example/image', 'a.example.com/image']);
  });

  it('prefers the longest prefix', () => {
    const text = `
      [[registry]]
      prefix = "example.com/foo"
      location = "long.example"
      [[registry]]
      prefix = "example.com"
      location = "short.example"
    `;
    expect(servers(text, 'example.com/foo/image')).toEqual(['long.example/image']);
    expect(servers(text, 'example.com/bar')).toEqual(['short.example/bar']);
  });

  it('lets a later file say it anew for the same prefix', () => {
    const location = (name: string) => `[[registry]]\nprefix = "example.com"\nlocation = "${name}"`;
    const found = confOf(location('first.example'), location('second.example')).find(
      parseReference('example.com/a'),
    );
    expect(found?.location.host).toBe('second.example');
  });

  it('names the file that blocks an image', () => {
    const text = '[[registry]]\nlocation = "example.com"\nblocked = true';
    expect(confOf(text).find(parseReference('example.com/a'))?.blockedBy).toBe('/conf-0');
  });

  it('gives mirrors that are for digests or for tags only what is theirs', () => {
    const mirrors = ['all', 'digest-only', 'tag-only']
      .map((only) => `[[registry.mirror]]\nlocation = "${only}.example"\npull-from-mirror = "${only}"`)
      .join('\n');
    const text = `[[registry]]\nlocation = "example.com"\n${mirrors}`;
    const named = (image: string) => servers(text, image)?.map((server) => server.split('.')[0]);
    expect(named('example.com/a:1')).toEqual(['all', 'tag-only', 'example']);
    expect(named(`example.com/a@${digest}`)).toEqual(['all', 'digest-only', 'example']);
  });

  it('keeps all mirrors of a registry for digests with mirror-by-digest-only', () => {
    const text =
      '[[registry]]\nlocation = "example.com"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = "m.example"';
    expect(servers(text, 'example.com/a:1')).toEqual(['example.com/a']);
    expect(servers(text, `example.com/a@${digest}`)).toEqual(['m.example/a', 'example.com/a']);
  });

  it.each([
    ['[[registry]]\ninsecure = true', 'neither prefix nor location'],
    ['[[registry]]\nprefix = "example.com"', 'says no location for example.com'],
    ['[[registry]]\nlocation = 1', 'has a wrong value at registry.0.location'],
    [
      '[[registry]]\nlocation = "a.b"\n[[registry.mirror]]\ninsecure = true',
      'at registry.0.mirror.0.location',
    ],
    [
      '[[registry]]\nlocation = "a.b"\n[[registry.mirror]]\nlocation = "c"\npull-from-mirror = "no"',
      'pull-from-mirror',
    ],
    [
      '[[registry]]\nlocation = "a.b"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = "c.d"\npull-from-mirror = "tag-only"',
      'both mirror-by-digest-only and pull-from-mirror',
    ],
    ['[registries.block]\nregistries = ["docker.io"]', 'version 1'],
    ['[registries.insecure]\nregistries = ["docker.io"]', 'version 1'],
  ])('refuses %j and names the file', (text, problem) => {
    expect(() => confOf(text)).toThrow(
      expect.objectContaining({ code: 'usage', message: expect.stringContaining(problem) }),
    );
    expect(() => confOf(text)).toThrow('/conf-0');
  });

  it('passes over what version 1 said about short names', () => {
    expect(servers('[registries.search]\nregistries = ["docker.io"]', 'busybox')).toBeUndefined();
  });

  it.each(['user:secret@m.example', 'https://user:secret@m.example'])(
    'refuses the location %s and does not repeat its password',
    (location) => {
      const text = `[[registry]]\nlocation = "a.example"\n[[registry.mirror]]\nlocation = "${location}"`;
      expect(() => servers(text, 'a.example/b:1')).toThrow('…@m.example/b:1');
    },
  );

  it('refuses a location that makes no image name, with what it would be', () => {
    const text = '[[registry]]\nprefix = "example.com"\nlocation = "internal.example/UPPER"';
    expect(() => servers(text, 'example.com/a')).toThrow('makes internal.example/UPPER/a:latest of an image');
  });
});

describe('the files of registries.conf', () => {
  const location = (name: string) => `[[registry]]\nprefix = "example.com"\nlocation = "${name}.example"`;
  const write = (file: string, text: string) => {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
    return file;
  };
  const hostOf = async (choices: { file: string; folders: string[] }[], required = false) => {
    const conf = await loadRegistriesConf({ choices, required });
    return conf?.find(parseReference('example.com/a'))?.location.host;
  };

  it('may all be absent', async () => {
    const folder = tempDir();
    expect(await hostOf([{ file: `${folder}/a`, folders: [`${folder}/none`] }])).toBeUndefined();
    expect(await hostOf([])).toBeUndefined();
  });

  it('are the first that is there and the folders that go with it, later names counting more', async () => {
    const folder = tempDir();
    const own = write(`${folder}/own.conf`, location('own'));
    const usual = write(`${folder}/usual.conf`, location('usual'));
    write(`${folder}/d/10-first.conf`, location('first'));
    write(`${folder}/d/20-second.conf`, location('second'));
    write(`${folder}/d/30-third.txt`, location('third'));
    const absent = { file: `${folder}/absent`, folders: [] };
    expect(
      await hostOf([
        { file: own, folders: [] },
        { file: usual, folders: [`${folder}/d`] },
      ]),
    ).toBe('own.example');
    expect(await hostOf([absent, { file: usual, folders: [`${folder}/d`] }])).toBe('second.example');
    expect(await hostOf([absent, { file: `${folder}/none`, folders: [`${folder}/d`] }])).toBe(
      'second.example',
    );
  });

  it('have to be there when they were named', async () => {
    const file = `${tempDir()}/none.conf`;
    await expect(hostOf([{ file, folders: [] }], true)).rejects.toThrow(`${file} is not there`);
  });

  it('are named when they are broken, without their text', async () => {
    const file = write(`${tempDir()}/a.conf`, 'location = "secret');
    const error = await hostOf([{ file, folders: [] }]).catch((thrown) => thrown);
    expect(error.message).toMatch(/a\.conf is no TOML: .* in line 1$/);
    expect(error.message).not.toContain('secret');
  });

  it('are refused when they are too long, or a folder', async () => {
    const folder = tempDir();
    const file = write(`${folder}/long.conf`, `# ${'x'.repeat(1_048_576)}`);
    await expect(hostOf([{ file, folders: [] }])).rejects.toThrow('is longer than');
    await expect(hostOf([{ file: folder, folders: [] }])).rejects.toThrow('cannot be read');
  });
});
