import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { expect, test } from 'vitest';
import { ownContentPath } from '../../../src/containerd/own-content.ts';
import { runCli } from '../../support/cli.ts';
import { startContainerd, type TestContainerd } from '../../support/containerd.ts';
import { describeContainers } from '../../support/containers.ts';
import { startContentPlugin } from '../../support/content-plugin.ts';
import { type PushedImage, pushImage } from '../../support/images.ts';
import { startRegistry } from '../../support/real-registry.ts';
import { tempDir } from '../../support/temp.ts';
import { blobsOf } from './facts.ts';

describeContainers('a containerd that has images', () => {
  test('is refused, then imported, and goes on without its registry', async () => {
    const { containerd, registry, image, store, socket } = await setUp();
    await registry.stop();
    await containerd.stop();
    containerd.configureContent(socket);
    const refused = await runCli([
      'content-plugin',
      '--socket',
      socket,
      '--store',
      store,
      '--containerd-root',
      containerd.root,
    ]);
    expect(refused.code).toBe(8);
    expect(refused.stderr).toContain(`--containerd-root ${containerd.root} --import`);

    const plugin = await startPlugin(containerd, { store, socket, more: ['--import'] });
    await plugin.log.waitFor('imported what containerd kept itself', { damaged: 0 });
    await containerd.start();
    await expectWhole(containerd, image);
    expect((await runCli(['prune', '--store', store, '--json'])).stdout).toContain('"blobs": []');
    await expectWhole(containerd, image);
  });

  test('keeps no plugin from starting later, whatever it removed meanwhile', async () => {
    const { containerd, image, store, socket } = await setUp();
    await containerd.stop();
    containerd.configureContent(socket);
    const first = await startPlugin(containerd, { store, socket, more: ['--import'] });
    await containerd.start();
    await containerd.ctr('images', 'rm', '--sync', image.reference);
    await first.log.waitFor('reference updated', { change: 'removed', digest: image.layers[0]?.digest });
    expect((await runCli(['prune', '--store', store])).code).toBe(0);
    await first.child.stop();
    const second = await startPlugin(containerd, { store, socket });
    expect(await second.log.waitFor('content plugin started')).toBeDefined();
  });

  test('goes back to its own store with what the plugin brought', async () => {
    const { containerd, registry, image, store, socket } = await setUp();
    await containerd.stop();
    containerd.configureContent(socket);
    await startPlugin(containerd, { store, socket, more: ['--import'] });
    await containerd.start();
    const later = await pushImage(registry, 'team/later', { busybox: true, layers: [150_000] });
    await containerd.pull(later.reference);
    await registry.stop();
    await containerd.stop();
    execFileSync('cp', ['-rn', path.join(store, 'blobs'), ownContentPath(containerd.root)]);
    containerd.configureContent(undefined);
    await containerd.start();
    for (const one of [image, later]) await expectWhole(containerd, one);
  });

  test('would be left with images that it can neither read nor pull again', async () => {
    const { containerd, image, store, socket } = await setUp();
    await containerd.stop();
    containerd.configureContent(socket);
    await startContentPlugin({ node: 'node-a', store, socket });
    await containerd.start();
    expect(await containerd.ctr('images', 'ls')).toContain(image.digest);
    const failureOf = (working: Promise<string>) => working.catch((error: unknown) => String(error));
    expect(await failureOf(readWhole(containerd, image))).toContain('not found');
    expect(await failureOf(containerd.pull(image.reference))).toContain('not found');
  });

  test('is seen by the doctor at each step', async () => {
    const { containerd, store, socket } = await setUp();
    const doctor = async () => {
      const args = [
        '--containerd-config',
        containerd.configFile,
        '--content-socket',
        socket,
        '--store',
        store,
      ];
      const { stdout } = await runCli(['doctor', '--json', ...args]);
      const { checks } = JSON.parse(stdout) as {
        checks: { check: string; verdict: string; message: string }[];
      };
      return checks
        .filter(({ verdict }) => verdict === 'problem')
        .map(({ check, message }) => `${check}: ${message}`);
    };
    expect(await doctor()).toEqual([
      expect.stringContaining('containerd config: '),
      expect.stringContaining(`content plugin: ${socket}: it is not there`),
      'containerd: the containerd that runs has another content store: content',
    ]);
    containerd.configureContent(socket);
    expect(await doctor()).toEqual([
      expect.stringContaining('content plugin: '),
      expect.stringContaining('the containerd that runs has another content store'),
      expect.stringContaining(`containerd root: ${containerd.root} has 5 blobs`),
    ]);
    await containerd.stop();
    await startPlugin(containerd, { store, socket, more: ['--import'] });
    await containerd.start();
    expect(await doctor()).toEqual([]);
  });
});

/** A containerd with its own content store, which has an image, and no registry any more. */
async function setUp() {
  const registry = await startRegistry();
  const image = await pushImage(registry, 'library/busybox', { busybox: true, layers: [200_000, 1_000_000] });
  const containerd = await startContainerd();
  await containerd.pull(image.reference);
  await expectRuns(containerd, image);
  expect(blobsOf(image)).toHaveLength(4);
  return {
    registry,
    image,
    containerd,
    store: path.join(tempDir(), 'store'),
    socket: path.join(tempDir(), 'c.sock'),
  };
}

async function startPlugin(
  { root }: TestContainerd,
  { more = [], ...args }: { store: string; socket: string; more?: readonly string[] },
) {
  return await startContentPlugin({ node: 'node-a', ...args, more: ['--containerd-root', root, ...more] });
}

async function expectWhole(containerd: TestContainerd, image: PushedImage): Promise<void> {
  await expectRuns(containerd, image);
  await readWhole(containerd, image);
}

/** Reads every blob of it. */
async function readWhole(containerd: TestContainerd, { reference }: PushedImage): Promise<string> {
  return await containerd.ctr('images', 'export', path.join(tempDir(), 'image.tar'), reference);
}

async function expectRuns(containerd: TestContainerd, { reference }: PushedImage): Promise<void> {
  expect(await containerd.run(reference, '/bin/echo', 'it runs')).toContain('it runs');
}
