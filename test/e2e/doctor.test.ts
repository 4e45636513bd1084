import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { status } from '@grpc/grpc-js';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { startGrpc } from '../containerd/grpc-servers.ts';
import { rootWith } from '../containerd/own-root.ts';
import { onCleanup } from '../support/cleanup.ts';
import { type CliOptions, runCli } from '../support/cli.ts';
import { createFakeRegistry } from '../support/fake-registry.ts';
import { fleetFiles } from '../support/fleet-files.ts';
import { startServer } from '../support/pulls.ts';
import { tempDir } from '../support/temp.ts';

const documentSchema = v.strictObject({
  exitCode: v.number(),
  checks: v.array(
    v.strictObject({
      check: v.string(),
      verdict: v.picklist(['ok', 'warning', 'problem']),
      message: v.string(),
      hint: v.nullable(v.string()),
      code: v.nullable(v.string()),
    }),
  ),
});

/** The document, and what it has of each kind. */
async function examined(args: readonly string[], options: CliOptions = {}) {
  const run = await runCli(['doctor', '--json', ...args], options);
  const document = v.parse(documentSchema, JSON.parse(run.stdout));
  expect([run.code, run.stderr]).toEqual([document.exitCode, '']);
  const of = (name: string) => document.checks.filter(({ check }) => check === name);
  return { ...document, of };
}

const store = () => path.join(tempDir(), 'store');

/** One that leads to sockets on which a content service and a containerd answer. */
async function containerdConfig(root = tempDir()) {
  const contentSocket = await startGrpc({ contentStatus: status.NOT_FOUND });
  const plugins = [
    { type: 'io.containerd.content.v1', id: 'layerpull', exports: { address: contentSocket } },
  ];
  const socket = await startGrpc({ version: '1.7.2', plugins });
  const file = path.join(tempDir(), 'config.toml');
  const text = [
    'version = 2',
    `root = "${root}"`,
    'disabled_plugins = ["io.containerd.content.v1.content"]',
    `[grpc]\naddress = "${socket}"`,
    `[proxy_plugins.layerpull]\ntype = "content"\naddress = "${contentSocket}"`,
  ].join('\n');
  writeFileSync(file, text);
  return { file, contentSocket, text };
}

describe('doctor', () => {
  it('finds nothing wrong where nothing is, and changes nothing', async () => {
    const { url } = await startServer();
    const registry = await createFakeRegistry();
    onCleanup(() => registry.close());
    const image = registry.addImage({ layers: [5_000] });
    const { file } = await containerdConfig();
    const folder = tempDir();
    const args = ['--server', url, '--store', path.join(folder, 'store'), '--containerd-config', file];
    const { exitCode, checks } = await examined([image.reference, ...args]);
    expect(exitCode).toBe(0);
    expect(checks.map(({ check, verdict }) => `${verdict} ${check}`)).toEqual([
      'ok node',
      'ok clock',
      'ok store',
      expect.stringMatching(/ free space$/),
      'ok lock server',
      'ok registry',
      'ok containerd config',
      'ok content plugin',
      'ok containerd',
      'ok containerd root',
    ]);
    expect(checks[5]?.message).toContain(image.digest);
    expect(registry.requests.map(({ method }) => method)).toEqual(['HEAD']);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('says it in lines, with what to do below those that fail', async () => {
    const run = await runCli(['doctor', '--store', store(), '--server', '127.0.0.1:1']);
    expect(run.code).toBe(7);
    expect(run.stdout).toMatch(/^ok {4}node {9}Node \d/m);
    expect(run.stdout).toMatch(
      /^fail {2}lock server {2}cannot reach .*\n {19}check that "layerpull serve" runs/m,
    );
    expect(run.stderr).toBe('');
  });

  it('says with -q only what is not well', async () => {
    const wrong = await runCli(['doctor', '-q', '--store', store(), '--server', '127.0.0.1:1']);
    expect(wrong.stdout.split('\n').filter((line) => !/^( |warn )/.test(line))).toEqual([
      expect.stringMatching(/^fail {2}lock server/),
      '',
    ]);
    const right = await runCli(['doctor', '-q', '--store', store()]);
    expect([right.code, right.stdout.replace(/^warn {2}free space.*\n.*\n/, '')]).toEqual([0, '']);
  });

  it('looks at every lock server that is named, and whether each lets it in', async () => {
    const files = fleetFiles();
    const guarded = await startServer('127.0.0.1:0', ['--ephemeral', ...files.token]);
    const open = await startServer();
    const servers = ['--server', `${guarded.url},${open.url}`, '--store', store()];
    const { of, exitCode } = await examined(servers);
    expect(of('lock server')).toMatchObject([
      { verdict: 'problem', code: 'lock_denied', hint: expect.stringContaining('--token-file') },
      { verdict: 'ok' },
    ]);
    expect(exitCode).toBe(4);
    expect((await examined([...servers, ...files.token])).exitCode).toBe(0);
    expect((await examined([...servers, '--token-file', '/nowhere'])).exitCode).toBe(2);
  });

  it.each([
    ['a registry that is down', ['127.0.0.1:1/app'], 5, 'registry'],
    ['a lock server that is down', ['--server', '127.0.0.1:1'], 7, 'lock server'],
    ['a socket on which nobody listens', ['--content-socket', '/nowhere/content.sock'], 1, 'content plugin'],
  ])('ends with the exit code of %s', async (_, args, expected, check) => {
    const { exitCode, of } = await examined([...args, '--store', store()]);
    expect(exitCode).toBe(expected);
    expect(of(check)).toMatchObject([{ verdict: 'problem', hint: expect.any(String) }]);
  });

  it('ends with 3 for an image that is not there, and with 8 for a store that is none', async () => {
    const registry = await createFakeRegistry();
    onCleanup(() => registry.close());
    expect((await examined([`${registry.host}/team/app:1`, '--store', store()])).exitCode).toBe(3);
    const folder = tempDir();
    writeFileSync(path.join(folder, 'letter.txt'), '');
    expect((await examined(['--store', folder, '--server', '127.0.0.1:1'])).exitCode).toBe(8);
  });

  it('refuses what is no image before it looks at anything', async () => {
    const run = await runCli(['doctor', 'NO image', '--json', '--store', store()]);
    expect([run.code, JSON.parse(run.stdout)]).toEqual([
      2,
      { error: expect.objectContaining({ code: 'invalid_reference' }) },
    ]);
  });

  it('finds what containerd would miss, until the store has it', async () => {
    const { root, digests } = rootWith('one');
    const { file } = await containerdConfig(root);
    const folder = store();
    const args = ['--containerd-config', file, '--store', folder];
    const { exitCode, of } = await examined(args);
    expect(exitCode).toBe(8);
    expect(of('containerd root')).toMatchObject([
      { code: 'content_not_imported', message: expect.stringContaining(root) },
    ]);
    mkdirSync(path.join(folder, 'blobs', 'sha256'), { recursive: true });
    writeFileSync(path.join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    for (const digest of digests) writeFileSync(path.join(folder, 'blobs', digest.replace(':', '/')), 'one');
    expect((await examined(args)).exitCode).toBe(0);
  });

  it('is told of containerd and its plugin by the environment', async () => {
    const { file, contentSocket } = await containerdConfig();
    const env = {
      LAYERPULL_CONTAINERD_CONFIG: file,
      LAYERPULL_CONTENT_SOCKET: contentSocket,
      LAYERPULL_STORE: store(),
    };
    expect((await examined([], { env })).exitCode).toBe(0);
    const other = { ...env, LAYERPULL_CONTENT_SOCKET: '/run/other.sock' };
    const { of } = await examined([], { env: other });
    expect(of('containerd config')).toMatchObject([{ message: expect.stringContaining('/run/other.sock') }]);
  });

  it('lets nothing of a hostile configuration onto the terminal', async () => {
    const file = path.join(tempDir(), 'config.toml');
    writeFileSync(
      file,
      'version = 2\n[proxy_plugins."\\u001b[2J\\nok    node"]\ntype = "content"\naddress = "/run/\\u001b]0;x\\u0007"',
    );
    const run = await runCli(['doctor', '--containerd-config', file, '--store', store()]);
    expect(run.code).toBe(1);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
    expect(run.stdout).not.toMatch(/[\u001b\u0007]/);
    expect(run.stdout.match(/^ok {4}node/gm)).toHaveLength(1);
  });
});
