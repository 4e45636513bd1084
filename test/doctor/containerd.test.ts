import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { importMarkerPath, importMarkerText } from '../../src/containerd/existing-root.ts';
import { systemClock } from '../../src/core/clock.ts';
import { type ContainerdParts, checkContainerd } from '../../src/doctor/containerd.ts';
import { type FakeAnswers, startGrpc } from '../containerd/grpc-servers.ts';
import { rootWith } from '../containerd/own-root.ts';
import { tempDir } from '../support/temp.ts';
import { problemsIn, verdicts } from './support.ts';

const content = { type: 'io.containerd.content.v1', id: 'layerpull' };

interface Setup {
  readonly contentSocket?: string;
  readonly socket?: string;
  readonly root?: string;
  readonly more?: string;
}

/** A configuration that has everything right. */
function configFor({
  contentSocket = '/nowhere/content.sock',
  socket = '/nowhere/c.sock',
  root = tempDir(),
  more = '',
}: Setup) {
  const file = path.join(tempDir(), 'config.toml');
  writeFileSync(
    file,
    [
      'version = 2',
      `root = "${root}"`,
      'disabled_plugins = ["io.containerd.content.v1.content"]',
      `[grpc]\naddress = "${socket}"`,
      `[proxy_plugins.layerpull]\ntype = "content"\naddress = "${contentSocket}"`,
      more,
    ].join('\n'),
  );
  return file;
}

const look = (configFile: string, parts: Partial<ContainerdParts> = {}) =>
  checkContainerd({
    configFile,
    isConfigNamed: false,
    socket: undefined,
    contentSocket: undefined,
    has: async () => false,
    storeId: 'store-a',
    clock: systemClock,
    signal: new AbortController().signal,
    ...parts,
  });

/** All of it running, and containerd with these plugins. */
async function running(pluginsOf: (contentSocket: string) => FakeAnswers['plugins'], root = tempDir()) {
  const contentSocket = await startGrpc({ contentStatus: status.NOT_FOUND });
  const plugins = pluginsOf(contentSocket);
  const socket = await startGrpc({ version: '1.7.2', ...(plugins ? { plugins } : {}) });
  return configFor({ contentSocket, socket, root });
}

const loaded = (address: string) => [{ ...content, exports: { address } }];

describe('the doctor of containerd with the content plugin', () => {
  it('is content where all of it runs', async () => {
    const findings = await look(await running(loaded));
    expect(verdicts(findings)).toEqual([
      'ok containerd config',
      'ok content plugin',
      'ok containerd',
      'ok containerd root',
    ]);
    expect(findings[2]?.message).toContain('containerd 1.7.2 answers');
  });

  it('does without what an older containerd does not tell', async () => {
    expect(problemsIn(await look(await running(() => undefined)))).toEqual([]);
  });

  it('says nothing of a machine without containerd', async () => {
    const file = path.join(tempDir(), 'config.toml');
    expect(await look(file)).toEqual([
      { check: 'containerd', verdict: 'ok', message: `not looked at: there is no ${file}` },
    ]);
  });

  it.each<[string, Partial<ContainerdParts>]>([
    ['the file', { isConfigNamed: true }],
    ['the socket of the plugin', { contentSocket: '/nowhere/content.sock' }],
    ['the socket of containerd', { socket: '/nowhere/c.sock' }],
  ])('misses the file where somebody named %s', async (_, parts) => {
    const [finding] = await look(path.join(tempDir(), 'config.toml'), parts);
    expect(finding).toMatchObject({
      verdict: 'problem',
      message: expect.stringContaining('it is not there'),
    });
  });

  it('looks at the sockets that are named also where the file is no TOML', async () => {
    const file = path.join(tempDir(), 'config.toml');
    writeFileSync(file, 'version = ');
    const contentSocket = await startGrpc({ contentStatus: status.NOT_FOUND });
    expect(verdicts(await look(file, { contentSocket }))).toEqual([
      'problem containerd config',
      'ok content plugin',
    ]);
  });

  it('asks no more of a containerd that pulls in another way', async () => {
    const file = path.join(tempDir(), 'config.toml');
    writeFileSync(file, `version = 2\nroot = "${rootWith('one').root}"`);
    expect(verdicts(await look(file))).toEqual(['warning containerd config']);
  });

  it('says how to start the plugin', async () => {
    const [, plugin] = await look(configFor({}));
    expect(plugin).toMatchObject({
      check: 'content plugin',
      verdict: 'problem',
      message: '/nowhere/content.sock: it is not there',
      hint: 'start it: layerpull content-plugin --socket /nowhere/content.sock',
    });
  });

  it('tells another service from the plugin', async () => {
    const contentSocket = await startGrpc({ version: '1.7.2' });
    const [, plugin] = await look(configFor({ contentSocket }));
    expect(plugin).toMatchObject({ verdict: 'problem', message: expect.stringContaining('another service') });
  });

  it('only warns of a containerd that is down, unless it is named', async () => {
    const contentSocket = await startGrpc({ contentStatus: status.NOT_FOUND });
    const file = configFor({ contentSocket });
    expect(verdicts(await look(file))).toContain('warning containerd');
    expect(verdicts(await look(file, { socket: '/nowhere/c.sock' }))).toContain('problem containerd');
  });

  it('finds a containerd that runs with an older configuration', async () => {
    const file = await running(() => [
      { ...content, id: 'content', exports: { root: '/var/lib/containerd' } },
    ]);
    const [, , , finding] = await look(file);
    expect(finding).toMatchObject({
      verdict: 'problem',
      message: 'the containerd that runs has another content store: content',
      hint: expect.stringContaining('restart it'),
    });
  });

  it('finds one that runs with both content stores, or with another socket', async () => {
    const both = await running((address) => [...loaded(address), { ...content, id: 'content' }]);
    expect(problemsIn(await look(both))).toEqual([expect.stringContaining('another content store: content')]);
    const other = await running(() => loaded('/run/old.sock'));
    expect(problemsIn(await look(other))).toEqual([expect.stringContaining('layerpull (/run/old.sock)')]);
  });

  it('finds one that could not load the plugin', async () => {
    const file = await running(() => [{ ...content, initErr: { message: 'dial: no such file' } }]);
    expect(problemsIn(await look(file))).toEqual(['containerd could not load layerpull: dial: no such file']);
  });

  it('finds content that would be missed, and says what to do', async () => {
    const { root } = rootWith('one', 'two');
    const file = await running(loaded, root);
    const findings = await look(file);
    expect(findings.at(-1)).toMatchObject({
      check: 'containerd root',
      verdict: 'problem',
      code: 'content_not_imported',
      hint: expect.stringContaining(`--containerd-root ${root} --import`),
    });
    expect(problemsIn(await look(file, { has: async () => true }))).toEqual([]);
  });

  it('misses what was imported into another store', async () => {
    const { root } = rootWith('one');
    const file = await running(loaded, root);
    writeFileSync(importMarkerPath(root), importMarkerText('store-a'));
    expect(problemsIn(await look(file))).toEqual([]);
    expect(problemsIn(await look(file, { storeId: 'store-b' }))).toHaveLength(1);
  });

  it('ends at once when it is told to', async () => {
    const reason = new Error('enough');
    const looking = look(await running(loaded), { signal: AbortSignal.abort(reason) });
    await expect(looking).rejects.toBe(reason);
  });
});
