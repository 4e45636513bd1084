import { describe, expect, it } from 'vitest';
import type { ContainerdConfig } from '../../src/containerd/config-file.ts';
import { checkContainerdConfig } from '../../src/doctor/containerd-config.ts';
import { problemsIn } from './support.ts';

const builtIn = 'io.containerd.content.v1.content';
const right: ContainerdConfig = {
  files: ['/etc/containerd/config.toml'],
  version: 2,
  disabledPlugins: [builtIn],
  contentProxies: [{ name: 'layerpull', address: '/run/layerpull/content.sock' }],
  root: '/var/lib/containerd',
  socket: '/run/containerd/containerd.sock',
  isIsolated: false,
};
const look = (change: Partial<ContainerdConfig>, wanted?: string) =>
  checkContainerdConfig({ ...right, ...change }, wanted);

describe('the doctor of a configuration of containerd', () => {
  it.each([2, 3])('is content with one of version %i that has the plugin alone', (version) => {
    expect(look({ version }, '/run/layerpull/content.sock')).toEqual([
      {
        check: 'containerd config',
        verdict: 'ok',
        message:
          '/etc/containerd/config.toml has [proxy_plugins.layerpull] with /run/layerpull/content.sock as its only content store',
      },
    ]);
  });

  it.each<[string, Partial<ContainerdConfig>, string]>([
    ['version 1', { version: 1 }, 'has version 1'],
    ['the built-in store', { disabledPlugins: [] }, 'leaves the built-in content store on'],
    [
      'the built-in store by its short name',
      { disabledPlugins: ['content'] },
      'leaves the built-in content store on',
    ],
    [
      'no address',
      { contentProxies: [{ name: 'x', address: '' }] },
      'the address of [proxy_plugins.x] is ""',
    ],
    [
      'an address with a scheme',
      { contentProxies: [{ name: 'x', address: 'unix:///run/x' }] },
      'and no path',
    ],
    [
      'the name of the built-in store',
      { contentProxies: [{ name: 'content', address: '/run/x' }] },
      'disables [proxy_plugins.content]',
    ],
    [
      'two content stores',
      {
        contentProxies: [
          { name: 'a', address: '/a' },
          { name: 'b', address: '/b' },
        ],
      },
      'has 2 content stores: a, b',
    ],
    ['no content store at all', { contentProxies: [] }, 'has no content store: the built-in one is disabled'],
  ])('finds %s', (_, change, message) => {
    const findings = look(change);
    expect(problemsIn(findings)).toEqual([expect.stringContaining(message)]);
    expect(findings).toEqual([
      expect.objectContaining({ check: 'containerd config', hint: expect.any(String) }),
    ]);
  });

  it('tells everything that is wrong at once', () => {
    expect(problemsIn(look({ version: 1, disabledPlugins: [] }))).toHaveLength(2);
  });

  it('warns of namespaces that do not share content, beside what else there is', () => {
    const message = expect.stringContaining('content_sharing_policy');
    expect(look({ isIsolated: true })).toMatchObject([{ verdict: 'ok' }, { verdict: 'warning', message }]);
    expect(look({ isIsolated: true, version: 1 })).toMatchObject([
      { verdict: 'problem' },
      { verdict: 'warning' },
    ]);
  });

  it('finds another socket than the one that is meant', () => {
    expect(problemsIn(look({}, '/run/other.sock'))).toEqual([
      expect.stringContaining('leads to /run/layerpull/content.sock, not to /run/other.sock'),
    ]);
    expect(problemsIn(look({}, '/run/layerpull/../layerpull/content.sock'))).toEqual([]);
  });

  it('only warns where containerd pulls in another way, unless the plugin is wanted', () => {
    const other = { contentProxies: [], disabledPlugins: [] };
    expect(look(other)).toEqual([expect.objectContaining({ verdict: 'warning' })]);
    expect(look(other, '/run/x.sock')).toEqual([
      expect.objectContaining({
        verdict: 'problem',
        hint: expect.stringContaining('address = "/run/x.sock"'),
      }),
    ]);
  });
});
