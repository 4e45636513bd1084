import { describe, expect, it } from 'vitest';
import { mediaTypes } from '../../src/core/descriptor.ts';
import { checkStore } from '../../src/orchestrator/verify.ts';
import type { BlobReading, CheckedImage, NeededBlob, StoreChecker } from '../../src/store/check.ts';
import { blobOf } from '../support/blobs.ts';

const never = new AbortController().signal;
const manifest = blobOf('{}', mediaTypes.ociManifest);
const layer = blobOf('a layer');
const other = blobOf('something else');

const right = (blob: typeof layer): BlobReading => ({ kind: 'read', digest: blob.digest, size: blob.size });

function imageWith(role: NeededBlob['role'], name = 'docker.io/library/app:latest'): CheckedImage {
  const needs: NeededBlob[] = [
    { digest: manifest.digest, size: manifest.size, role: 'required' },
    { digest: layer.digest, size: layer.size, role },
  ];
  const platform = { os: 'linux', architecture: 'amd64' };
  return { name, platform, manifest: manifest.digest, needs, isReadable: true };
}

/** A store with the manifest and the layer of one image, all right, but for `changes`. */
function checkerWith(changes: Partial<StoreChecker> = {}): StoreChecker {
  return {
    path: '/store',
    blobs: async () => [manifest, layer],
    read: async (digest) => right(digest === manifest.digest ? manifest : layer),
    layout: async () => [],
    has: async () => false,
    images: async () => ({ images: [imageWith('required')], damaged: [] }),
    isIndexRight: async () => true,
    ...changes,
  };
}

const onlyManifest = { blobs: async () => [manifest] };

describe('the check of a store', () => {
  it('reads a blob once more before it calls it wrong', async () => {
    const answers: BlobReading[] = [right(other), right(layer)];
    const read: StoreChecker['read'] = async (digest) =>
      digest === layer.digest ? (answers.shift() ?? right(other)) : right(manifest);
    const checker = checkerWith({ read });
    expect((await checkStore(checker, {}, never)).problems).toEqual([]);
    expect((await checkStore(checker, {}, never)).problems).toMatchObject([
      { kind: 'wrong', digest: layer.digest, found: other.digest },
    ]);
  });

  it('misses no blob that was published since it looked', async () => {
    const { problems } = await checkStore(checkerWith({ ...onlyManifest, has: async () => true }), {}, never);
    expect(problems).toEqual([]);
  });

  it('misses no blob of an image that was removed since it looked', async () => {
    const answers = [[imageWith('required')]];
    const images = async () => ({ images: answers.shift() ?? [], damaged: [] });
    const { problems } = await checkStore(checkerWith({ ...onlyManifest, images }), {}, never);
    expect(problems).toEqual([]);
  });

  it('says nothing about the manifest of an image that was removed since it looked', async () => {
    const answers = [[{ ...imageWith('required'), isReadable: false }]];
    const images = async () => ({ images: answers.shift() ?? [], damaged: [] });
    expect((await checkStore(checkerWith({ images }), {}, never)).problems).toEqual([]);
  });

  it.each([
    ['foreign', ['foreign']],
    ['attached', ['attached']],
    ['listed', []],
  ] as const)('takes an image without a blob that is %s for whole', async (role, kinds) => {
    const images = async () => ({ images: [imageWith(role)], damaged: [] });
    const { problems, notes } = await checkStore(checkerWith({ ...onlyManifest, images }), {}, never);
    expect([problems, notes.map(({ kind }) => kind)]).toEqual([[], kinds]);
  });

  it('misses what one image may be without when another needs it', async () => {
    const both = [imageWith('required', 'a'), imageWith('foreign', 'b')];
    for (const ordered of [both, both.toReversed()]) {
      const images = async () => ({ images: ordered, damaged: [] });
      const { problems, notes } = await checkStore(checkerWith({ ...onlyManifest, images }), {}, never);
      expect([problems.map(({ kind }) => kind), notes]).toEqual([['missing'], []]);
    }
  });
});
