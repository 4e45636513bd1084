import { describe, expect, it } from 'vitest';
import { parsePlatform } from '../../src/core/descriptor.ts';
import { type Digest, digestOf } from '../../src/core/digest.ts';
import { findImages, type ImageQuery, ofPlatform } from '../../src/orchestrator/image-query.ts';
import { formatReference, parseReference } from '../../src/registry/reference.ts';
import type { ImageRecord } from '../../src/store/image-store.ts';

const digest = (text: string) => digestOf(Buffer.from(text));

function imageOf(name: string, { platform = 'linux/amd64', index = '' } = {}): ImageRecord {
  const made = (text: string) => ({ mediaType: 'application/json', digest: digest(text), size: 1 });
  return {
    name,
    platform: parsePlatform(platform),
    manifest: made(`${name} ${platform}`),
    ...(index ? { index: made(index) } : {}),
  };
}

const busybox = imageOf('docker.io/library/busybox:latest');
const pinned = imageOf(`docker.io/library/busybox@${digest('pinned')}`, { index: 'pinned' });
const amd = imageOf('ghcr.io/team/app:1', { index: 'both' });
const arm = imageOf('ghcr.io/team/app:1', { index: 'both', platform: 'linux/arm64' });
const images = [busybox, pinned, amd, arm];

const byReference = (text: string): ImageQuery => {
  const reference = parseReference(text);
  return { text, reference, name: formatReference(reference) };
};
const configOf = ({ manifest }: ImageRecord) => digest(`config of ${manifest.digest}`);
const blobsOf = async (image: ImageRecord) => ({ all: [], config: configOf(image) });
const find = (query: ImageQuery, among = images) => findImages(query, among, blobsOf);

describe('an image of the store', () => {
  it('is found by its name, with all its platforms, however short the name is written', async () => {
    expect(await find(byReference('busybox'))).toEqual({ images: [busybox], by: 'name' });
    expect(await find(byReference('ghcr.io/team/app:1'))).toEqual({ images: [amd, arm], by: 'name' });
  });

  it('is found by NAME@DIGEST with the digest of its index or of its manifest, with and without the tag', async () => {
    const index = digest('both');
    for (const text of [`ghcr.io/team/app@${index}`, `ghcr.io/team/app:1@${index}`]) {
      expect((await find(byReference(text))).images).toEqual([amd, arm]);
    }
    const one = await find(byReference(`ghcr.io/team/app@${arm.manifest.digest}`));
    expect(one.images).toEqual([arm]);
    const asRecorded = await find(byReference(`busybox@${digest('pinned')}`));
    expect(asRecorded.images).toEqual([pinned]);
    for (const text of [`ghcr.io/team/app:2@${index}`, `ghcr.io/team/ap@${index}`, `busybox@${index}`]) {
      await expect(find(byReference(text))).rejects.toMatchObject({ code: 'image_not_found' });
    }
  });

  it('is found by a digest or its beginning: of the manifest, of the index, of the config', async () => {
    const digests: [Digest, readonly ImageRecord[]][] = [
      [busybox.manifest.digest, [busybox]],
      [configOf(busybox), [busybox]],
      [digest('both'), [amd, arm]],
    ];
    for (const [whole, meant] of digests) {
      for (const text of [whole, whole.slice(7), whole.slice(0, 19), whole.slice(7, 19)]) {
        expect(await find({ text })).toEqual({ images: meant, by: 'digest' });
      }
    }
  });

  it('is not guessed where several digests begin alike', async () => {
    await expect(find({ text: 'sha256:' })).rejects.toMatchObject({ code: 'ambiguous_digest', exitCode: 2 });
  });

  it('is rather one of that name than one whose digest begins so', async () => {
    const text = busybox.manifest.digest.slice(7, 13);
    const named = imageOf(`docker.io/library/${text}:latest`);
    expect((await find(byReference(text), [busybox, named])).images).toEqual([named]);
  });

  it('is not there, and the error says how to name one', async () => {
    for (const query of [byReference('alpine'), { text: 'sha256:0123' }]) {
      await expect(find(query)).rejects.toMatchObject({ code: 'image_not_found', hint: expect.any(String) });
    }
  });
});

describe('one platform of an image', () => {
  const query = byReference('ghcr.io/team/app:1');

  it('is all of them when none is asked for', () => {
    expect(ofPlatform(query, [amd, arm], undefined)).toEqual([amd, arm]);
    expect(ofPlatform(query, [amd, arm], parsePlatform('linux/aarch64'))).toEqual([arm]);
  });

  it('that is not there is an error that names those that are', () => {
    const find = () => ofPlatform(query, [amd, arm], parsePlatform('linux/s390x'));
    expect(find).toThrow(/linux\/s390x/);
    expect(find).toThrow(
      expect.objectContaining({ code: 'platform_not_found', hint: expect.stringContaining('arm64') }),
    );
  });
});
