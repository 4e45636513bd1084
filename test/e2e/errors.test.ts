import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { type ErrorCode, errorTable } from '../../src/core/errors.ts';
import { onCleanup } from '../support/cleanup.ts';
import { runCli } from '../support/cli.ts';
import { createFakeRegistry, type FakeImage, type FakeRegistry } from '../support/fake-registry.ts';
import { fleetFiles } from '../support/fleet-files.ts';
import { startServer } from '../support/pulls.ts';
import { tempDir } from '../support/temp.ts';

const nobody = '127.0.0.1:1';
const always = 100;

interface Scene {
  readonly registry: FakeRegistry;
  readonly image: FakeImage;
  readonly store: string;
}

/** How a user meets each error: what is wrong, and the command. */
const scenes: { readonly [code in ErrorCode]?: (scene: Scene) => Promise<string[]> } = {
  usage: async () => ['pull'],
  invalid_reference: async () => ['pull', 'busy box'],
  invalid_digest: async () => ['status', 'not-a-digest'],
  invalid_platform: async ({ image, store }) => [
    'pull',
    image.reference,
    '--store',
    store,
    '--platform',
    'linux',
  ],
  image_not_found: pulling(({ registry, image }) => registry.fault(image.tag, { kind: 'notFound' }, always)),
  blob_not_found: pulling(({ registry, image }) =>
    registry.fault(layerOf(image), { kind: 'notFound' }, always),
  ),
  platform_not_found: async ({ registry, store }) => {
    const image = registry.addImage({
      repository: 'only/arm',
      platforms: ['arm64', 's390x'].map((architecture) => ({ os: 'linux', architecture })),
    });
    return ['pull', image.reference, '--store', store, '--platform', 'linux/amd64'];
  },
  access_denied: pulling(({ registry, image }) => registry.fault(image.tag, { kind: 'denied' }, always)),
  registry_unreachable: async ({ store }) => ['pull', `${nobody}/library/busybox`, '--store', store],
  registry_failed: pulling(({ registry, image }) =>
    registry.fault(image.tag, { kind: 'serverError' }, always),
  ),
  registry_protocol: pulling(({ registry, image }) =>
    registry.fault(image.tag, { kind: 'serverError', status: 418 }, always),
  ),
  rate_limited: pulling(({ registry, image }) =>
    registry.fault(image.tag, { kind: 'tooManyRequests' }, always),
  ),
  digest_mismatch: pulling(({ registry, image }) =>
    registry.fault(layerOf(image), { kind: 'wrongDigest' }, always),
  ),
  size_mismatch: pulling(({ registry, image }) =>
    registry.fault(layerOf(image), { kind: 'tooLong', extraBytes: 10 }, always),
  ),
  invalid_manifest: pulling(({ registry, image }) =>
    registry.fault(image.tag, { kind: 'body', bytes: '{"schemaVersion":2,"layers":1}' }, always),
  ),
  unsupported_manifest: pulling(({ registry, image }) =>
    registry.fault(image.tag, { kind: 'schema1' }, always),
  ),
  lock_unreachable: async ({ image, store }) => [
    ...['pull', image.reference, '--store', store],
    ...['--server', nobody, '--on-lock-failure', 'fail'],
  ],
  store_unusable: async ({ image, store }) => {
    writeFileSync(store, 'a file');
    return ['pull', image.reference, '--store', store];
  },
  lock_denied: async ({ image, store }) => [
    ...['pull', image.reference, '--store', store, '--on-lock-failure', 'fail'],
    ...['--server', (await startServer(undefined, ['--ephemeral', ...fleetFiles().token])).url],
  ],
  resource_not_found: async () => ['status', 'sha256:abc', '--server', (await startServer()).url],
  address_in_use: async ({ registry }) => ['serve', '--ephemeral', '--addr', registry.host],
};

function pulling(spoil: (scene: Scene) => void): (scene: Scene) => Promise<string[]> {
  return async (scene) => {
    spoil(scene);
    return ['pull', scene.image.reference, '--store', scene.store];
  };
}

function layerOf(image: FakeImage): string {
  return image.layers[0]?.digest ?? '';
}

async function setScene(): Promise<Scene> {
  const registry = await createFakeRegistry();
  onCleanup(() => registry.close());
  return { registry, image: registry.addImage(), store: path.join(tempDir(), 'store') };
}

const documentSchema = v.strictObject({
  error: v.strictObject({
    code: v.string(),
    message: v.string(),
    hint: v.nullish(v.string()),
    origin: v.string(),
    retryable: v.boolean(),
    exitCode: v.number(),
  }),
});

const codes = Object.keys(scenes).filter((code): code is ErrorCode => Object.hasOwn(errorTable, code));

describe('the error', () => {
  it.each(codes)('%s is one line, or one document, with the same exit code', async (code) => {
    const scene = await setScene();
    const args = (await scenes[code]?.(scene)) ?? [];
    const plain = await runCli([...args, '-q']);
    expect(plain.stderr.trim().split('\n'), plain.stderr).toHaveLength(1);
    expect(plain.stdout).toBe('');
    expect(plain.code, plain.stderr).toBe(errorTable[code].exitCode);
    const json = await runCli([...args, '--json']);
    expect(json.code).toBe(plain.code);
    const { error } = v.parse(documentSchema, JSON.parse(json.stdout));
    expect(error).toMatchObject({ code, exitCode: plain.code });
    expect(existsSync(path.join(scene.store, 'blobs', 'sha256', layerOf(scene.image).slice(7)))).toBe(false);
  });
});
