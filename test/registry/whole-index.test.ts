import { describe, expect, it } from 'vitest';
import { type Descriptor, mediaTypes, type Platform } from '../../src/core/descriptor.ts';
import {
  descriptorOf,
  type FakeBlob,
  type FakeRegistry,
  jsonBlob,
  makeBlob,
} from '../support/fake-registry.ts';
import { createAtHand, manifestRequests, resolveWith } from './documents-at-hand.ts';
import { amd64, createRig, errorOf } from './support.ts';

const arm64: Platform = { os: 'linux', architecture: 'arm64' };
const windows: Platform = { os: 'windows', architecture: 'amd64' };
const all = { allPlatforms: true };
const emptyConfig = makeBlob(Buffer.from('{}'), 'application/vnd.oci.empty.v1+json');

interface Entry extends Descriptor {
  readonly platform?: Platform;
}

function addIndex(
  fake: FakeRegistry,
  tag: string,
  manifests: readonly Entry[],
  extra: object = {},
): FakeBlob {
  const value = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests, ...extra };
  const index = jsonBlob(value, mediaTypes.ociIndex);
  fake.addManifest('library/app', index, tag);
  return index;
}

/** What build tools say about an image: an artifact in the form of a manifest. */
function addAttestation(fake: FakeRegistry): FakeBlob {
  const layer = fake.addBlob(Buffer.from('{"predicate":{}}'), 'application/vnd.in-toto+json');
  fake.addBlob(emptyConfig.bytes, emptyConfig.mediaType);
  const manifest = jsonBlob(
    {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      artifactType: 'application/vnd.docker.attestation.manifest.v1+json',
      config: descriptorOf(emptyConfig),
      layers: [descriptorOf(layer)],
    },
    mediaTypes.ociManifest,
  );
  fake.addManifest('library/app', manifest);
  return manifest;
}

const unknown: Platform = { os: 'unknown', architecture: 'unknown' };
const digests = (list: readonly { readonly manifest: { readonly descriptor: Descriptor } }[]) =>
  list.map(({ manifest }) => manifest.descriptor.digest);
const nameOf = (fake: FakeRegistry, tag: string) => `${fake.host}/library/app:${tag}`;

describe('resolving all platforms', () => {
  it('gives each with its manifest, the one asked for first', async () => {
    const rig = await createRig();
    const made = rig.fake.addImage({ platforms: [amd64, windows, arm64] });
    const image = await resolveWith(rig, made.reference, { ...all, platform: arm64 });
    expect(image.platforms.map(({ platform }) => platform)).toEqual([arm64, amd64, windows]);
    expect(image.manifest.descriptor.digest).toBe(made.manifests[2]?.digest);
    expect(image.platform).toEqual(arm64);
    expect(digests(image.manifests)).toHaveLength(3);
    expect(image.documents.at(-1)?.descriptor.digest).toBe(made.digest);
    expect(image.documents).toHaveLength(4);
  });

  it('begins with the first when the one asked for is not there', async () => {
    const rig = await createRig();
    const made = rig.fake.addImage({ platforms: [windows, arm64] });
    expect((await resolveWith(rig, made.reference, all)).platform).toEqual(windows);
  });

  it('brings attestations along, as no platform of their own', async () => {
    const rig = await createRig();
    const made = rig.fake.addImage();
    const attestation = addAttestation(rig.fake);
    addIndex(rig.fake, 'signed', [
      { ...descriptorOf(made.manifest), platform: amd64 },
      { ...descriptorOf(attestation), platform: unknown },
    ]);
    const image = await resolveWith(rig, nameOf(rig.fake, 'signed'), all);
    expect(digests(image.platforms)).toEqual([made.digest]);
    expect(digests(image.manifests)).toEqual([made.digest, attestation.digest]);
    expect(image.manifests[1]?.config.digest).toBe(emptyConfig.digest);
  });

  it('takes nested indexes whole, every document behind those it lists', async () => {
    const rig = await createRig();
    const inner = rig.fake.addImage({ tag: 'inner', platforms: [amd64, arm64] });
    const other = rig.fake.addImage({ tag: 'other', platforms: [windows] });
    const nested = [inner, other].flatMap(({ index }) => (index ? [descriptorOf(index)] : []));
    const outer = addIndex(rig.fake, 'outer', nested);
    const image = await resolveWith(rig, nameOf(rig.fake, 'outer'), all);
    expect(image.platforms).toHaveLength(3);
    const order = image.documents.map(({ descriptor }) => descriptor.digest);
    expect(order).toHaveLength(6);
    expect(order.at(-1)).toBe(outer.digest);
    for (const one of inner.manifests) {
      expect(order.indexOf(one.digest)).toBeLessThan(order.indexOf(inner.index?.digest ?? one.digest));
    }
  });

  it('keeps a manifest that stands for two platforms once, and names both', async () => {
    const rig = await createRig();
    const made = rig.fake.addImage();
    const entry = descriptorOf(made.manifest);
    addIndex(rig.fake, 'twice', [
      { ...entry, platform: amd64 },
      { ...entry, platform: arm64 },
    ]);
    const image = await resolveWith(rig, nameOf(rig.fake, 'twice'), all);
    expect(digests(image.platforms)).toEqual([made.digest, made.digest]);
    expect(image.manifests).toHaveLength(1);
    expect(image.documents).toHaveLength(2);
  });

  it('keeps the second manifest of a platform without naming it', async () => {
    const rig = await createRig();
    const [first, second] = [10, 20].map((size) => rig.fake.addImage({ layers: [size] }).manifest);
    if (!first || !second) throw new Error('two images were made');
    addIndex(rig.fake, 'versions', [
      { ...descriptorOf(first), platform: windows },
      { ...descriptorOf(second), platform: windows },
    ]);
    const image = await resolveWith(rig, nameOf(rig.fake, 'versions'), all);
    expect(digests(image.platforms)).toEqual([first.digest]);
    expect(digests(image.manifests)).toEqual([first.digest, second.digest]);
  });

  it('is the same as one platform where there is no index', async () => {
    const rig = await createRig();
    const made = rig.fake.addImage();
    const image = await resolveWith(rig, made.reference, all);
    expect(digests(image.platforms)).toEqual([made.digest]);
    expect(image.index).toBeUndefined();
  });

  it('leaves out what is neither a manifest nor an index, and says so', async () => {
    const rig = await createRig();
    const made = rig.fake.addImage();
    const odd = { mediaType: 'application/vnd.acme.thing', digest: emptyConfig.digest, size: 2 };
    addIndex(rig.fake, 'odd', [{ ...descriptorOf(made.manifest), platform: amd64 }, odd]);
    const image = await resolveWith(rig, nameOf(rig.fake, 'odd'), all);
    expect(image.leftOut).toEqual([odd]);
    expect(image.manifests).toHaveLength(1);
  });

  it('costs one HEAD when everything is at hand', async () => {
    const rig = await createRig();
    const made = rig.fake.addImage({ platforms: [amd64, arm64] });
    const stored = createAtHand();
    stored.keep(...(made.index ? [made.index] : []), ...made.manifests);
    expect((await resolveWith(rig, made.reference, { ...all, stored })).platforms).toHaveLength(2);
    expect(manifestRequests(rig.fake)).toEqual(['HEAD latest']);
  });

  it('refuses an index without any image', async () => {
    const rig = await createRig();
    addIndex(rig.fake, 'empty', []);
    addIndex(rig.fake, 'attested', [{ ...descriptorOf(addAttestation(rig.fake)), platform: unknown }]);
    for (const tag of ['empty', 'attested']) {
      const error = await errorOf(resolveWith(rig, nameOf(rig.fake, tag), all));
      expect(error).toMatchObject({ code: 'platform_not_found', message: expect.stringContaining(tag) });
    }
  });

  it('stops at 256 documents, however they are nested', async () => {
    const rig = await createRig();
    const made = rig.fake.addImage();
    const wide = Array.from({ length: 257 }, () => ({ ...descriptorOf(made.manifest), platform: amd64 }));
    addIndex(rig.fake, 'wide', wide);
    let layer = descriptorOf(made.manifest);
    for (const tag of ['leaves', 'branches', 'trunks']) {
      layer = descriptorOf(addIndex(rig.fake, tag, Array(8).fill(layer)));
    }
    for (const tag of ['wide', 'trunks']) {
      const error = await errorOf(resolveWith(rig, nameOf(rig.fake, tag), all));
      expect(error).toMatchObject({
        code: 'invalid_manifest',
        message: expect.stringContaining('more than 256 documents'),
      });
    }
    expect(rig.fake.requests.length).toBeLessThan(600);
  });

  it('stops at four indexes in depth', async () => {
    const rig = await createRig();
    let entry: Entry = { ...descriptorOf(rig.fake.addImage().manifest), platform: amd64 };
    for (const tag of ['one', 'two', 'three', 'four', 'five']) {
      entry = descriptorOf(addIndex(rig.fake, tag, [entry]));
    }
    expect((await resolveWith(rig, nameOf(rig.fake, 'four'), all)).platforms).toHaveLength(1);
    const error = await errorOf(resolveWith(rig, nameOf(rig.fake, 'five'), all));
    expect(error).toMatchObject({ code: 'invalid_manifest', message: expect.stringContaining('4 deep') });
  });

  it('stops at 10,000 layers in all', async () => {
    const rig = await createRig();
    const { config } = rig.fake.addImage();
    const entries = Array.from({ length: 11 }, (_, place) => {
      const layer = { mediaType: mediaTypes.ociLayerGzip, digest: config.digest, size: config.size };
      const layers = Array(1_000).fill(layer);
      const value = {
        schemaVersion: 2,
        mediaType: mediaTypes.ociManifest,
        config: descriptorOf(config),
        layers,
        place,
      };
      const manifest = jsonBlob(value, mediaTypes.ociManifest);
      rig.fake.addManifest('library/app', manifest);
      return { ...descriptorOf(manifest), platform: { os: 'linux', architecture: `a${place}` } };
    });
    addIndex(rig.fake, 'heavy', entries);
    const error = await errorOf(resolveWith(rig, nameOf(rig.fake, 'heavy'), all));
    expect(error).toMatchObject({
      code: 'invalid_manifest',
      message: expect.stringContaining('11000 layers'),
    });
  });
});

describe('an index that lies', () => {
  it.each([{ allPlatforms: true }, { allPlatforms: false }])(
    'about what is a manifest and what an index is refused: %o',
    async (options) => {
      const rig = await createRig();
      const made = rig.fake.addImage({ platforms: [amd64] });
      const asIndex = { ...descriptorOf(made.manifest), mediaType: mediaTypes.ociIndex };
      const asManifest = { ...descriptorOf(made.index ?? made.manifest), mediaType: mediaTypes.ociManifest };
      for (const [tag, entry] of Object.entries({ asIndex, asManifest })) {
        addIndex(rig.fake, tag, [{ ...entry, platform: amd64 }]);
        const error = await errorOf(resolveWith(rig, nameOf(rig.fake, tag), options));
        expect(error).toMatchObject({
          code: 'invalid_manifest',
          message: expect.stringContaining(entry.digest),
        });
      }
    },
  );

  it('about the size of a manifest is refused before it is read, if it says too much', async () => {
    const rig = await createRig();
    const made = rig.fake.addImage();
    const entry = { ...descriptorOf(made.manifest), size: 4 * 1_048_576 + 1, platform: amd64 };
    addIndex(rig.fake, 'fat', [entry]);
    const error = await errorOf(resolveWith(rig, nameOf(rig.fake, 'fat'), {}));
    expect(error).toMatchObject({ code: 'invalid_manifest' });
    expect(rig.fake.manifestGets(made.digest)).toBe(0);
  });
});

describe('a manifest that its index embeds', () => {
  it('is taken from there, without a request', async () => {
    const rig = await createRig();
    const made = rig.fake.addImage();
    const data = made.manifest.bytes.toString('base64');
    addIndex(rig.fake, 'embedding', [{ ...descriptorOf(made.manifest), platform: amd64, data } as Entry]);
    for (const options of [{}, all]) {
      const image = await resolveWith(rig, nameOf(rig.fake, 'embedding'), options);
      expect(image.manifest.descriptor.digest).toBe(made.digest);
    }
    expect(rig.fake.manifestGets(made.digest)).toBe(0);
  });
});
