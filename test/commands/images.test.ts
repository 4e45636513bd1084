import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import Images from '../../src/commands/images.ts';
import Inspect from '../../src/commands/inspect.ts';
import { putImage } from '../support/put-image.ts';
import { runCommand } from '../support/run-command.ts';
import { tempDir } from '../support/temp.ts';

const busybox = 'docker.io/library/busybox:latest';
const arm = { os: 'linux', architecture: 'arm64' };
const blobFile = (store: string, digest: string) => path.join(store, 'blobs', digest.replace(':', '/'));

async function storeOfTwo() {
  const store = path.join(tempDir(), 'store');
  const run = { Cmd: ['sh', '-c', 'echo\u001b[2J'], Env: ['A=1'], Labels: { team: 'x\ny' }, User: 'nobody' };
  const amd = await putImage(store, { name: busybox, layers: ['one', 'two', 'one'], run });
  const other = await putImage(store, {
    name: 'registry.example/team/app:1.2',
    layers: ['two'],
    platform: arm,
  });
  return { store, amd, other };
}

function table(text: string): string[][] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => line.trim().split(/ {2,}/));
}

describe('layerpull images', () => {
  it('lists names, digests, platforms and sizes, the latest first', async () => {
    const { store, other, amd } = await storeOfTwo();
    const { exitCode, stdout } = await runCommand(Images, '--store', store);
    const [head, first, second] = table(stdout);
    expect([exitCode, head]).toEqual([0, ['NAME', 'DIGEST', 'PLATFORM', 'SIZE', 'PULLED']]);
    expect(first?.slice(0, 3)).toEqual([
      'registry.example/team/app:1.2',
      other.manifest.digest.slice(7, 19),
      'linux/arm64',
    ]);
    expect(second?.[1]).toBe(amd.manifest.digest.slice(7, 19));
  });

  it('counts a layer once that stands in a manifest twice', async () => {
    const { store, amd } = await storeOfTwo();
    const { images } = JSON.parse((await runCommand(Images, '--store', store, '--json')).stdout);
    const busyboxSize = amd.manifest.size + amd.config.size + 'one'.length + 'two'.length;
    expect(images[1]).toMatchObject({
      name: busybox,
      size: busyboxSize,
      pulledAt: expect.stringMatching(/^20.*Z$/),
    });
  });

  it('shows whole digests with --digests', async () => {
    const { store, amd } = await storeOfTwo();
    const { stdout } = await runCommand(Images, '--store', store, '--digests');
    expect(stdout).toContain(amd.manifest.digest);
  });

  it('prints each name once with -q, whatever platforms there are', async () => {
    const { store } = await storeOfTwo();
    await putImage(store, { name: busybox, layers: ['one'], platform: arm });
    const { stdout } = await runCommand(Images, '--store', store, '-q');
    expect(stdout.trim().split('\n').sort()).toEqual([busybox, 'registry.example/team/app:1.2']);
  });

  it('lists an image whose manifest is gone, without a size', async () => {
    const { store, other } = await storeOfTwo();
    rmSync(blobFile(store, other.manifest.digest));
    const { images } = JSON.parse((await runCommand(Images, '--store', store, '--json')).stdout);
    expect(images[0]).toMatchObject({ name: 'registry.example/team/app:1.2', size: null });
  });

  it('leaves out a damaged record, with a warning', async () => {
    const { store } = await storeOfTwo();
    writeFileSync(path.join(store, 'images', 'broken.json'), '{');
    const { exitCode, stdout, stderr } = await runCommand(Images, '--store', store, '-q');
    expect([exitCode, stdout.trim().split('\n').length]).toEqual([0, 2]);
    expect((await runCommand(Images, '--store', store)).stderr).toContain('broken.json');
    expect(stderr).toBe('');
  });

  it('waits for nobody where a record or a manifest is a pipe', async () => {
    const { store, other } = await storeOfTwo();
    const manifest = blobFile(store, other.manifest.digest);
    rmSync(manifest);
    for (const pipe of [manifest, path.join(store, 'images', 'pipe.json')]) execFileSync('mkfifo', [pipe]);
    const { exitCode, stdout } = await runCommand(Images, '--store', store, '--json');
    expect([exitCode, JSON.parse(stdout).images]).toEqual([
      0,
      [expect.objectContaining({ size: null }), expect.anything()],
    ]);
  });

  it('finds none where there is no store, and makes none', async () => {
    const store = path.join(tempDir(), 'nothing');
    const { exitCode, stdout } = await runCommand(Images, '--store', store, '--json');
    expect([exitCode, JSON.parse(stdout).images, existsSync(store)]).toEqual([0, [], false]);
  });
});

describe('layerpull inspect', () => {
  it('says how the image runs and what it consists of, on lines of their own', async () => {
    const { store, amd } = await storeOfTwo();
    const { exitCode, stdout } = await runCommand(Inspect, 'busybox', '--store', store);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('Command:     ["sh","-c","echo\\u001b[2J"]');
    expect(stdout).toContain('Label:       team=x y');
    expect(stdout).toContain('User:        nobody');
    expect(table(stdout).filter(([name]) => name?.startsWith('layer'))).toHaveLength(3);
    expect(stdout).toContain(amd.config.digest);
  });

  it.each([
    ['a name', () => busybox],
    ['a digest', (digest: string) => digest],
    ['the beginning of a digest', (digest: string) => digest.slice(7, 15)],
    ['a name with its digest', (digest: string) => `busybox@${digest}`],
  ])('finds it by %s', async (_, wordFor) => {
    const { store, amd } = await storeOfTwo();
    const { stdout } = await runCommand(Inspect, wordFor(amd.manifest.digest), '--store', store, '--json');
    expect(JSON.parse(stdout)).toMatchObject({
      name: busybox,
      manifestDigest: amd.manifest.digest,
      config: { digest: amd.config.digest, present: true },
      run: { cmd: ['sh', '-c', 'echo\u001b[2J'], env: ['A=1'], labels: { team: 'x\ny' } },
    });
  });

  it('takes the platform that is asked for, else the one pulled last', async () => {
    const { store, amd } = await storeOfTwo();
    await putImage(store, { name: busybox, layers: ['three'], platform: arm });
    const of = async (...more: string[]) =>
      JSON.parse((await runCommand(Inspect, 'busybox', '--store', store, '--json', ...more)).stdout);
    expect((await of()).platform).toBe('linux/arm64');
    expect((await of('--platform', 'linux/amd64')).manifestDigest).toBe(amd.manifest.digest);
    expect(
      (await runCommand(Inspect, 'busybox', '--store', store, '--platform', 'linux/s390x')).exitCode,
    ).toBe(3);
  });

  it('shows which layers are missing', async () => {
    const { store, amd } = await storeOfTwo();
    rmSync(blobFile(store, amd.layers[1]?.digest ?? ''));
    const { layers } = JSON.parse((await runCommand(Inspect, 'busybox', '--store', store, '--json')).stdout);
    expect(layers.map((layer: { present: boolean }) => layer.present)).toEqual([true, false, true]);
  });

  it('shows what is no image of programs, without what it does not have', async () => {
    const { store, amd } = await storeOfTwo();
    rmSync(blobFile(store, amd.config.digest));
    const run = await runCommand(Inspect, 'busybox', '--store', store, '--json');
    expect([run.exitCode, JSON.parse(run.stdout).run]).toEqual([0, null]);
  });

  it('says how to bring back an image whose manifest is gone', async () => {
    const { store, amd } = await storeOfTwo();
    rmSync(blobFile(store, amd.manifest.digest));
    const { exitCode, stderr } = await runCommand(Inspect, 'busybox', '--store', store);
    expect([exitCode, stderr]).toEqual([3, expect.stringContaining(`layerpull pull ${busybox}`)]);
  });

  it.each(['alpine', 'sha256:00', 'ffffffffff'])('does not know %s, and writes nothing', async (word) => {
    const { store } = await storeOfTwo();
    const before = readdirSync(store, { recursive: true }).length;
    const { exitCode, stdout, stderr } = await runCommand(Inspect, word, '--store', store);
    expect([exitCode, stdout]).toEqual([3, '']);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(readdirSync(store, { recursive: true }).length).toBe(before);
  });

  it('does not know anything where there is no store, and makes none', async () => {
    const store = path.join(tempDir(), 'nothing');
    const { exitCode, stderr } = await runCommand(Inspect, 'busybox', '--store', store);
    expect([exitCode, existsSync(store)]).toEqual([3, false]);
    expect(stderr).toContain('--store');
  });
});
