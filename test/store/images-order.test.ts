import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { mediaTypes, type Platform } from '../../src/core/descriptor.ts';
import { digestOf } from '../../src/core/digest.ts';
import { openStore } from '../../src/store/oci-layout.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { tempDir } from '../support/temp.ts';

const name = 'docker.io/library/app:latest';
const linux = (architecture: string): Platform => ({ os: 'linux', architecture });

function recordOf(platform: Platform) {
  const bytes = Buffer.from(JSON.stringify(platform));
  return {
    name,
    platform,
    manifest: { mediaType: mediaTypes.ociManifest, digest: digestOf(bytes), size: 1 },
  };
}

async function setUp() {
  const folder = path.join(tempDir(), 'store');
  const { images } = await openStore({ path: folder, clock: createFakeClock() });
  const named = () =>
    JSON.parse(readFileSync(path.join(folder, 'index.json'), 'utf8')).manifests.flatMap(
      ({ platform, annotations }: { platform: Platform; annotations: Record<string, string> }) =>
        annotations['org.opencontainers.image.ref.name'] === name ? [platform.architecture] : [],
    );
  return { folder, images, named };
}

describe('several platforms of one name', () => {
  it('leave the name to the last, also when no time passes between them', async () => {
    const { images, named } = await setUp();
    for (const architecture of ['s390x', 'amd64', 'arm64', 'ppc64le', 'amd64', 's390x']) {
      await images.record(recordOf(linux(architecture)));
      expect(named()).toEqual([architecture]);
    }
    expect(await images.list()).toHaveLength(4);
  });

  it('are not written again when the last one comes again', async () => {
    const { folder, images } = await setUp();
    const inodes = () =>
      readdirSync(path.join(folder, 'images')).map((file) => statSync(path.join(folder, 'images', file)).ino);
    for (const architecture of ['amd64', 'arm64']) await images.record(recordOf(linux(architecture)));
    const before = inodes();
    await images.record(recordOf(linux('arm64')));
    expect(inodes()).toEqual(before);
  });
});
