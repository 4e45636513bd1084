import { createServer } from 'node:net';
import path from 'node:path';
import { afterEach } from 'vitest';
import { type Descriptor, mediaTypes, type Platform } from '../../src/core/descriptor.ts';
import { runCli } from './cli.ts';
import { createFakeRegistry, descriptorOf, type FakeRegistry, jsonBlob } from './fake-registry.ts';
import { tempDir } from './temp.ts';

export const amd64: Platform = { os: 'linux', architecture: 'amd64' };
export const arm64: Platform = { os: 'linux', architecture: 'arm64' };

const registries: FakeRegistry[] = [];
afterEach(async () => {
  for (const registry of registries.splice(0)) await registry.close();
});

/** A fake registry, which ends with the test, and a folder in which there is no store yet. */
export async function setUpPull() {
  const fake = await createFakeRegistry();
  registries.push(fake);
  return { fake, store: path.join(tempDir(), 'store') };
}

export const pull = (reference: string, store: string, ...more: string[]) =>
  runCli(['pull', reference, '--store', store, '--platform', 'linux/amd64', '--json', ...more]);
export const pullAll = (reference: string, store: string, ...more: string[]) =>
  runCli(['pull', reference, '--store', store, '--all-platforms', '--json', ...more]);

/** `HEAD latest`, `GET sha256:…`: what the registry was asked since `from`. */
export function asked({ requests }: FakeRegistry, from = 0): string[] {
  return requests
    .slice(from)
    .map(({ method, path: asked }) => `${method} ${asked.slice(asked.lastIndexOf('/') + 1)}`);
}

/** A lock server that nobody should call, and how often it was called all the same. */
export async function startUnwanted() {
  let calls = 0;
  const server = createServer((socket) => {
    calls += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    calls: () => calls,
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}

export function addManifest(
  fake: FakeRegistry,
  tag: string,
  layers: readonly (Descriptor & { data?: string })[],
) {
  const config = fake.addBlob(
    Buffer.from(JSON.stringify({ ...amd64, rootfs: { type: 'layers', diff_ids: [] } })),
  );
  const value = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { ...descriptorOf(config), mediaType: mediaTypes.ociConfig },
    layers,
  };
  const manifest = jsonBlob(value, mediaTypes.ociManifest);
  fake.addManifest('library/app', manifest, tag);
  return { reference: `${fake.host}/library/app:${tag}`, manifest, config };
}
