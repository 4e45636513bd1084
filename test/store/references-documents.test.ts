import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { mediaTypes, type Platform } from '../../src/core/descriptor.ts';
import { blobOf, type TestBlob } from '../support/blobs.ts';
import { amd64, descriptorOf, documentOf, imageOf, setUpStore } from './support.ts';

const config = blobOf('{"os":"linux"}', mediaTypes.ociConfig);
const layer = blobOf('a layer');
const name = '127.0.0.1:5000/team/app:1';
const image = imageOf(config, layer);

const indexOf = (...manifests: readonly object[]) => documentOf({ manifests }, mediaTypes.ociIndex);
const entryOf = (document: TestBlob, more: object) => ({ ...descriptorOf(document), ...more });

/** What of `blobs` is referenced once the image of a platform is recorded, with the index that lists it. */
async function referencedWith(
  documents: readonly TestBlob[],
  { index, platform = amd64, manifest = image }: RecordOptions,
) {
  const { store, references } = await setUpStore();
  for (const one of documents) await store.putDocument(one, one.bytes);
  const recorded = index ? { index: descriptorOf(index) } : {};
  await store.images.record({ name, platform, manifest: descriptorOf(manifest), ...recorded });
  const book = await references.read();
  return { unreadable: book.unreadable, has: ({ digest }: TestBlob) => book.of(digest).length > 0 };
}

interface RecordOptions {
  readonly index?: TestBlob;
  readonly platform?: Platform;
  readonly manifest?: TestBlob;
}

describe('the references of an image that came with an index', () => {
  it('include what else the index lists for its platform, however that is spelled', async () => {
    const [second, foreign] = [blobOf('for a later Windows'), blobOf('for another processor')];
    const later = imageOf(config, second);
    const other = imageOf(config, foreign);
    const windows = { os: 'windows', architecture: 'amd64' };
    const index = indexOf(
      entryOf(image, { platform: { ...windows, 'os.version': '10.0.17763.1' } }),
      entryOf(later, { platform: { os: 'Windows', architecture: 'x86_64', 'os.version': '10.0.20348.1' } }),
      entryOf(other, { platform: { os: 'windows', architecture: 'arm64' } }),
    );
    const { has } = await referencedWith([image, later, other, index], { index, platform: windows });
    for (const blob of [image, layer, later, second]) expect(has(blob)).toBe(true);
    for (const blob of [other, foreign]) expect(has(blob)).toBe(false);
  });

  it('include the indexes inside of it and the artifacts, whatever platform they stand for', async () => {
    const [statement, model] = [blobOf('signed'), blobOf('a model')];
    const attestation = imageOf(config, statement);
    const artifact = imageOf(blobOf('{}', 'application/vnd.example.config'), model);
    const arm = { platform: { os: 'linux', architecture: 'arm64' } };
    const inner = indexOf(
      entryOf(imageOf(config), arm),
      entryOf(attestation, { platform: { os: 'unknown', architecture: 'unknown' } }),
    );
    const index = indexOf(
      entryOf(image, { platform: amd64 }),
      entryOf(inner, arm),
      entryOf(artifact, { ...arm, artifactType: 'application/vnd.example' }),
    );
    const { has } = await referencedWith([image, attestation, artifact, inner, index], { index });
    for (const blob of [inner, attestation, statement, artifact, model]) expect(has(blob)).toBe(true);
    expect(has(imageOf(config))).toBe(false);
  });

  it('include what it lists without a platform, or with null in its place', async () => {
    const [first, second] = [blobOf('first'), blobOf('second')];
    const others = [imageOf(config, first), imageOf(config, second)] as const;
    const index = indexOf(
      entryOf(image, { platform: amd64 }),
      entryOf(others[0], { platform: null }),
      descriptorOf(others[1]),
    );
    const { has } = await referencedWith([image, ...others, index], { index });
    for (const blob of [...others, first, second]) expect(has(blob)).toBe(true);
  });
});

describe('the references of a manifest', () => {
  it.each([
    { subject: null, blobs: null, fsLayers: null, manifests: null },
    { subject: 'x', blobs: 5, fsLayers: {}, annotations: 7 },
    { subject: {}, blobs: [{}], fsLayers: [null, { blobSum: 'sha256:x' }] },
  ])('are told whatever stands in fields that images do not use: %j', async (fields) => {
    const manifest = documentOf({ config: descriptorOf(config), layers: [descriptorOf(layer)], ...fields });
    const { has, unreadable } = await referencedWith([manifest], { manifest });
    expect(unreadable).toEqual([]);
    for (const blob of [manifest, config, layer]) expect(has(blob)).toBe(true);
  });

  it.each([
    { layers: 'x' },
    { layers: [descriptorOf(layer), { digest: 'sha256:x' }] },
    { config: null, layers: [] },
  ])('cannot be told where its config or its layers cannot be read: %j', async (fields) => {
    const manifest = documentOf({ config: descriptorOf(config), ...fields });
    const { unreadable } = await referencedWith([manifest], { manifest });
    expect(unreadable).toHaveLength(1);
  });

  it('of another tool are told as far as they can be read', async () => {
    const { folder, store, references } = await setUpStore();
    const unknown = { ...descriptorOf(layer), digest: `sha384:${'a'.repeat(96)}` };
    const theirs = documentOf({ config: descriptorOf(config), layers: [unknown, descriptorOf(layer)] });
    await store.putDocument(theirs, theirs.bytes);
    const index = JSON.stringify({ schemaVersion: 2, manifests: [descriptorOf(theirs)] });
    writeFileSync(path.join(folder, 'index.json'), index);
    const book = await references.read();
    for (const { digest } of [theirs, config, layer]) expect(book.of(digest)).toHaveLength(1);
  });
});
