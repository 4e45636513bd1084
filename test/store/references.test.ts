import { readdirSync, readFileSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import fsPromises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { mediaTypes } from '../../src/core/descriptor.ts';
import type { Digest } from '../../src/core/digest.ts';
import { createGarbage } from '../../src/store/garbage-files.ts';
import { ociFormOf } from '../../src/store/oci-form.ts';
import { createReferences } from '../../src/store/reference-book.ts';
import { blobOf } from '../support/blobs.ts';
import { onCleanup } from '../support/cleanup.ts';
import { type Child, spawnProcess } from '../support/processes.ts';
import { testProgram } from '../support/test-program.ts';
import { namesIn } from '../support/whole-store.ts';
import { amd64, descriptorOf, documentOf, imageOf, setUpStore } from './support.ts';

const config = blobOf('{"os":"linux"}', mediaTypes.ociConfig);
const shared = blobOf('a shared layer');
const own = blobOf('a layer of one image');
const name = '127.0.0.1:5000/team/app:1';

type Setup = Awaited<ReturnType<typeof setUpStore>>;

async function countOf({ references }: Setup, { digest }: { readonly digest: Digest }): Promise<number> {
  return (await references.read()).of(digest).length;
}

async function record({ store }: Setup, image: ReturnType<typeof imageOf>, as = name): Promise<void> {
  await store.putDocument(image, image.bytes);
  await store.images.record({ name: as, platform: amd64, manifest: descriptorOf(image) });
}

describe('the references of recorded images', () => {
  it('are one for each image that needs the blob', async () => {
    const setup = await setUpStore();
    const [first, second] = [imageOf(config, shared, own), imageOf(config, shared)];
    await record(setup, first);
    await record(setup, second, `${name}-2`);
    for (const [blob, count] of [
      [shared, 2],
      [config, 2],
      [own, 1],
      [first, 1],
      [blobOf('x'), 0],
    ] as const) {
      expect(await countOf(setup, blob)).toBe(count);
    }
    const [reference] = (await setup.references.read()).of(own.digest);
    expect(reference).toEqual({ kind: 'image', name, platform: 'linux/amd64' });
  });

  it('end with the image', async () => {
    const setup = await setUpStore();
    const image = imageOf(config, own);
    await record(setup, image);
    await setup.store.images.remove(await setup.store.images.list());
    for (const blob of [image, config, own]) expect(await countOf(setup, blob)).toBe(0);
  });

  it('stay when something else was recorded under the name since the image was found', async () => {
    const setup = await setUpStore();
    await record(setup, imageOf(config, own));
    const found = await setup.store.images.list();
    const newer = imageOf(config, shared);
    await record(setup, newer);
    expect(await setup.store.images.remove(found)).toEqual([]);
    expect(await countOf(setup, newer)).toBe(1);
    expect(await setup.store.images.remove(await setup.store.images.list())).toMatchObject([{ name }]);
    expect(await setup.store.images.remove(found)).toEqual([]);
  });

  it('include the form of a manifest that other tools read', async () => {
    const setup = await setUpStore();
    const image = documentOf(
      { config: descriptorOf(config), layers: [descriptorOf(own)] },
      mediaTypes.dockerManifest,
    );
    await record(setup, image);
    expect(await countOf(setup, ociFormOf(image.bytes).descriptor)).toBe(1);
  });

  it('include the index with what is not the image of another platform, such as attestations', async () => {
    const setup = await setUpStore();
    const statement = blobOf('signed');
    const attestation = imageOf(blobOf('{}', mediaTypes.ociConfig), statement);
    const [image, other] = [imageOf(config, own), imageOf(config, shared)];
    const entry = (manifest: typeof image, os: string) => ({
      ...descriptorOf(manifest),
      platform: { os, architecture: os === 'unknown' ? 'unknown' : 'amd64' },
    });
    const manifests = [entry(image, 'linux'), entry(other, 'windows'), entry(attestation, 'unknown')];
    const index = documentOf({ manifests }, mediaTypes.ociIndex);
    for (const one of [image, other, attestation, index]) await setup.store.putDocument(one, one.bytes);
    const manifest = descriptorOf(image);
    await setup.store.images.record({ name, platform: amd64, manifest, index: descriptorOf(index) });
    for (const blob of [index, image, own, attestation, statement])
      expect(await countOf(setup, blob)).toBe(1);
    for (const blob of [other, shared]) expect(await countOf(setup, blob)).toBe(0);
  });

  it('cannot be told for an image whose manifest is gone, and name the image', async () => {
    const setup = await setUpStore();
    const image = imageOf(config, own);
    await record(setup, image);
    unlinkSync(path.join(setup.folder, 'blobs', image.digest.replace(':', '/')));
    const { unreadable } = await setUpAgain(setup).read();
    expect(unreadable).toMatchObject([{ image: { name }, hint: expect.stringContaining(name) }]);
  });

  it('are read anew when an image is removed while it is read', async () => {
    const setup = await setUpStore();
    const [image, other] = [imageOf(config, own), imageOf(config, shared)];
    await record(setup, image);
    await record(setup, other, `${name}-2`);
    const [first] = await setup.store.images.list();
    const manifest = path.join(setup.folder, 'blobs', image.digest.replace(':', '/'));
    beforeOpening(manifest, async () => {
      if (first) await setup.store.images.remove([first]);
      unlinkSync(manifest);
    });
    const book = await setUpAgain(setup).read();
    expect(book.unreadable).toEqual([]);
    expect([book.of(own.digest).length, book.of(shared.digest).length]).toEqual([0, 1]);
  });

  it('cannot be told while a record or index.json is damaged', async () => {
    for (const file of ['images/damaged.json', 'index.json']) {
      const setup = await setUpStore();
      writeFileSync(path.join(setup.folder, file), '{"name":');
      expect((await setup.references.read()).unreadable).toHaveLength(1);
    }
  });
});

describe('the references of other tools', () => {
  it('are all that an entry in index.json leads to', async () => {
    const setup = await setUpStore();
    const image = imageOf(config, own);
    const index = documentOf({ manifests: [descriptorOf(image)] }, mediaTypes.ociIndex);
    const outer = documentOf({ manifests: [descriptorOf(index)] }, mediaTypes.ociIndex);
    for (const one of [image, index, outer]) await setup.store.putDocument(one, one.bytes);
    const annotations = { 'org.opencontainers.image.ref.name': 'theirs' };
    const manifests = [{ ...descriptorOf(outer), annotations }, { digest: 'nonsense' }, {}];
    writeFileSync(path.join(setup.folder, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
    for (const blob of [outer, index, image, config, own]) {
      expect((await setup.references.read()).of(blob.digest)).toEqual([{ kind: 'index', name: 'theirs' }]);
    }
  });

  it('end, also where documents lead in a circle or to what is no document', async () => {
    const setup = await setUpStore();
    const rubbish = blobOf('not json', mediaTypes.ociManifest);
    const index = documentOf({ manifests: [descriptorOf(rubbish), descriptorOf(own)] }, mediaTypes.ociIndex);
    for (const one of [rubbish, index]) await setup.store.putDocument(one, one.bytes);
    const file = path.join(setup.folder, 'index.json');
    writeFileSync(file, JSON.stringify({ schemaVersion: 2, manifests: [descriptorOf(index)] }));
    const book = await setup.references.read();
    expect(book.unreadable).toEqual([]);
    for (const blob of [index, rubbish, own]) expect(book.of(blob.digest)).toHaveLength(1);
  });
});

describe('the reference of a pull', () => {
  it('counts from the moment it is written until it is released, and says whose it is', async () => {
    const setup = await setUpStore();
    const claim = await setup.claim(own, shared);
    expect((await setup.references.read()).of(own.digest)).toEqual([
      { kind: 'pull', name: 'team/app:1', node: 'node-a' },
    ]);
    await claim.release();
    await claim.release();
    expect(await countOf(setup, own)).toBe(0);
    expect(namesIn(setup.folder, 'references')).toEqual([]);
    expect(namesIn(setup.folder, 'ingest')).toEqual([]);
  });

  it('counts while its process is stopped, and not when it was killed', async () => {
    const setup = await setUpStore();
    const child = await startClaiming(setup.folder, own.digest);
    child.kill('SIGSTOP');
    expect(await countOf(setup, own)).toBe(1);
    child.kill('SIGKILL');
    await child.exited;
    expect(await countOf(setup, own)).toBe(0);
    expect(namesIn(setup.folder, 'references')).toHaveLength(1);
    await garbageOf(setup).settle();
    expect(namesIn(setup.folder, 'references')).toEqual([]);
  });

  it('of one that was killed counts for none of many who look at the same time', async () => {
    const setup = await setUpStore();
    const child = await startClaiming(setup.folder, own.digest);
    child.kill('SIGKILL');
    await child.exited;
    const counts = await Promise.all(Array.from({ length: 50 }, () => countOf(setup, own)));
    expect(counts.filter((count) => count > 0)).toEqual([]);
  });

  it.each([
    ['it comes from another host', { kernel: 'another kernel' }],
    ['its owner could not lock it', { locked: false }],
  ])('counts for a day where %s', async (_, fields) => {
    const setup = await setUpStore();
    await setup.claim(own);
    const [file = ''] = readdirSync(path.join(setup.folder, 'references'));
    const claim = JSON.parse(readFileSync(path.join(setup.folder, 'references', file), 'utf8'));
    const foreign = path.join(setup.folder, 'references', 'foreign.json');
    writeFileSync(foreign, JSON.stringify({ ...claim, ...fields, digests: [shared.digest] }));
    const aged = (hours: number) => {
      const then = new Date(Date.now() - hours * 3_600_000);
      utimesSync(foreign, then, then);
    };
    aged(23);
    expect(await countOf(setup, shared)).toBe(1);
    aged(25);
    expect(await countOf(setup, shared)).toBe(0);
    await garbageOf(setup).settle();
    expect(namesIn(setup.folder, 'references')).toEqual([file]);
  });

  it('is none when the file is no such thing, which goes when it is old', async () => {
    const setup = await setUpStore();
    await setup.claim(own);
    const odd = path.join(setup.folder, 'references', 'odd.json');
    for (const content of ['rubbish', '{}', JSON.stringify({ format: 1, digests: [3] })]) {
      writeFileSync(odd, content);
      expect((await setup.references.read()).unreadable).toEqual([]);
    }
    const longAgo = new Date(Date.now() - 25 * 3_600_000);
    utimesSync(odd, longAgo, longAgo);
    await garbageOf(setup).settle();
    expect(namesIn(setup.folder, 'references')).toHaveLength(1);
  });
});

/** Has `work` done before a file of this name is opened for the first time. */
function beforeOpening(file: string, work: () => Promise<void>): void {
  const { open } = fsPromises;
  const restore = () => {
    Object.assign(fsPromises, { open });
    syncBuiltinESMExports();
  };
  const held: typeof open = async (opened, ...more) => {
    if (opened === file) {
      restore();
      await work();
    }
    return await open(opened, ...more);
  };
  Object.assign(fsPromises, { open: held });
  syncBuiltinESMExports();
  onCleanup(restore);
}

/** Documents are read once; this reads them again. */
function setUpAgain({ layout }: Setup) {
  return createReferences({ layout, clock: systemClock });
}

function garbageOf({ layout, references }: Setup) {
  return createGarbage({ layout, references, clock: systemClock });
}

/** A process that claims a digest and does no more. */
async function startClaiming(folder: string, digest: Digest): Promise<Child> {
  const program = await testProgram('claim-holder');
  const child = await spawnProcess(process.execPath, [program, folder, digest], { env: process.env });
  await child.stdout.waitFor(/claimed/);
  return child;
}
