import {
  existsSync,
  mkdirSync,
  type PathLike,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import fsPromises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import path from 'node:path';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { deferred } from '../../src/core/abort.ts';
import { systemClock } from '../../src/core/clock.ts';
import type { Platform } from '../../src/core/descriptor.ts';
import { openStore } from '../../src/store/oci-layout.ts';
import { blobOf } from '../support/blobs.ts';
import { onCleanup } from '../support/cleanup.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { spawnProcess } from '../support/processes.ts';
import { inRoot } from '../support/root.ts';
import { tempDir } from '../support/temp.ts';

const amd64: Platform = { os: 'linux', architecture: 'amd64' };
const arm64: Platform = { os: 'linux', architecture: 'arm64' };
const open = (folder: string) => openStore({ path: folder, clock: systemClock });

const manifestOf = (text: string) => {
  const { bytes: _, ...descriptor } = blobOf(text, 'application/vnd.oci.image.manifest.v1+json');
  return descriptor;
};

function indexOf(folder: string): { name: string; digest: string }[] {
  const { manifests } = JSON.parse(readFileSync(path.join(folder, 'index.json'), 'utf8'));
  return manifests.map((entry: { digest: string; annotations?: Record<string, string> }) => ({
    name: entry.annotations?.['org.opencontainers.image.ref.name'],
    digest: entry.digest,
  }));
}

/** Bundles a few lines of TypeScript that use the store, to be run as a process of their own. */
async function makeProgram(lines: string): Promise<string> {
  const outfile = path.join(tempDir(), 'program.mjs');
  const contents = `
    import { openStore } from './src/store/oci-layout.ts';
    import { systemClock } from './src/core/clock.ts';
    const [folder, name] = process.argv.slice(2);
    const store = await openStore({ path: folder, clock: systemClock });
    ${lines}`;
  const stdin = { contents, resolveDir: inRoot(), loader: 'ts' } as const;
  await build({ stdin, outfile, bundle: true, platform: 'node', format: 'esm', logLevel: 'error' });
  return outfile;
}

async function runAll(program: string, folder: string, names: readonly string[]): Promise<string[]> {
  const runs = names.map(async (name) => {
    const child = await spawnProcess(process.execPath, [program, folder, name], { env: process.env });
    const { code } = await child.exited;
    expect(code, child.stderr.text()).toBe(0);
    return child.stdout.text().trim();
  });
  return await Promise.all(runs);
}

/** Stops the first call that puts a file of this name in its place. Resolves when it is reached. */
function holdFirstWrite(name: string, until: Promise<void>): Promise<void> {
  const { link, rename } = fsPromises;
  const reached = deferred<void>();
  const held = (real: typeof link) => async (from: PathLike, to: PathLike) => {
    if (String(to).endsWith(name)) {
      restore();
      reached.resolve();
      await until;
    }
    await real(from, to);
  };
  const restore = () => {
    Object.assign(fsPromises, { link, rename });
    syncBuiltinESMExports();
  };
  Object.assign(fsPromises, { link: held(link), rename: held(rename) });
  syncBuiltinESMExports();
  onCleanup(restore);
  return reached.promise;
}

describe('opening a store', () => {
  it('makes an OCI layout that is found again under the same store id', async () => {
    const folder = path.join(tempDir(), 'a', 'new', 'store');
    const { blobs } = await open(folder);
    expect(JSON.parse(readFileSync(path.join(folder, 'oci-layout'), 'utf8'))).toEqual({
      imageLayoutVersion: '1.0.0',
    });
    expect((await open(folder)).blobs.storeId).toBe(blobs.storeId);
  });

  it('agrees on one store id among processes that make it at once', async () => {
    const program = await makeProgram('console.log(store.blobs.storeId);');
    const folder = path.join(tempDir(), 'store');
    const ids = await runAll(program, folder, ['1', '2', '3', '4']);
    expect(new Set(ids).size).toBe(1);
  });

  it('follows a link to the store', async () => {
    const folder = tempDir();
    mkdirSync(path.join(folder, 'real'));
    symlinkSync(path.join(folder, 'real'), path.join(folder, 'link'));
    expect((await open(path.join(folder, 'link'))).blobs.path).toBe(path.join(folder, 'real'));
  });

  it('refuses a folder that holds something else, and writes nothing into it', async () => {
    const folder = tempDir();
    writeFileSync(path.join(folder, 'thesis.txt'), 'years of work');
    await expect(open(folder)).rejects.toMatchObject({ code: 'store_unusable', exitCode: 8 });
    expect(readdirSync(folder)).toEqual(['thesis.txt']);
  });

  it('refuses a file, a newer format, and a damaged identity, each with what to do', async () => {
    const folder = tempDir();
    writeFileSync(path.join(folder, 'file'), '');
    const store = path.join(folder, 'store');
    await open(store);
    const identity = path.join(store, 'layerpull.json');
    const refusals = [() => open(path.join(folder, 'file')), () => open(path.join(folder, 'file', 'below'))];
    for (const refused of refusals) {
      await expect(refused()).rejects.toMatchObject({ code: 'store_unusable', hint: expect.any(String) });
    }
    for (const content of [JSON.stringify({ format: 99, storeId: 'x' }), 'rubbish']) {
      writeFileSync(identity, content);
      await expect(open(store)).rejects.toMatchObject({ code: 'store_unusable', hint: expect.any(String) });
    }
  });

  it('collects partials that nobody touched for a day, and leaves the others', async () => {
    const folder = path.join(tempDir(), 'store');
    await open(folder);
    const clock = createFakeClock();
    for (const [name, ageHours] of [
      ['sha256-old', 25],
      ['draft-old', 25],
      ['sha256-new', 23],
    ] as const) {
      mkdirSync(path.join(folder, 'ingest', name));
      const file = path.join(folder, 'ingest', name, 'someone-1');
      writeFileSync(file, 'part');
      const time = new Date(clock.wallNow() - ageHours * 3_600_000);
      utimesSync(file, time, time);
      utimesSync(path.dirname(file), time, time);
    }
    await openStore({ path: folder, clock });
    expect(readdirSync(path.join(folder, 'ingest'))).toEqual(['sha256-new']);
  });
});

describe('the images of a store', () => {
  it('stand in index.json under their full names, which belong to the platform recorded last', async () => {
    const folder = path.join(tempDir(), 'store');
    const clock = createFakeClock();
    const { images } = await openStore({ path: folder, clock });
    await images.record({ name: 'docker.io/library/b:1', platform: amd64, manifest: manifestOf('b amd64') });
    await clock.advance(10);
    await images.record({ name: 'docker.io/library/b:1', platform: arm64, manifest: manifestOf('b arm64') });
    await images.record({ name: '127.0.0.1:5000/a:1', platform: amd64, manifest: manifestOf('a') });
    expect(indexOf(folder)).toEqual([
      { name: '127.0.0.1:5000/a:1', digest: manifestOf('a').digest },
      { name: 'docker.io/library/b:1', digest: manifestOf('b arm64').digest },
      { name: undefined, digest: manifestOf('b amd64').digest },
    ]);
  });

  it('are replaced by a newer one of the same name and platform', async () => {
    const folder = path.join(tempDir(), 'store');
    const { images } = await open(folder);
    for (const text of ['old', 'new']) {
      await images.record({ name: 'docker.io/library/b:1', platform: amd64, manifest: manifestOf(text) });
    }
    expect(indexOf(folder)).toEqual([{ name: 'docker.io/library/b:1', digest: manifestOf('new').digest }]);
  });

  it('leave the entries of other tools where they are', async () => {
    const folder = tempDir();
    writeFileSync(path.join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    const annotations = { 'org.opencontainers.image.ref.name': 'theirs' };
    const foreign = { ...manifestOf('foreign'), annotations };
    writeFileSync(
      path.join(folder, 'index.json'),
      JSON.stringify({ schemaVersion: 2, manifests: [foreign] }),
    );
    const { images } = await open(folder);
    await images.record({ name: 'docker.io/library/b:1', platform: amd64, manifest: manifestOf('ours') });
    expect(indexOf(folder).map(({ name }) => name)).toEqual(['theirs', 'docker.io/library/b:1']);
  });

  it('leave what other tools wrote beside the entries, and entries they do not understand', async () => {
    const folder = tempDir();
    writeFileSync(path.join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    const odd = { ...manifestOf('odd'), annotations: { number: 1 } };
    const index = { schemaVersion: 2, annotations: { made: 'elsewhere' }, manifests: [odd] };
    writeFileSync(path.join(folder, 'index.json'), JSON.stringify(index));
    const { images } = await open(folder);
    await images.record({ name: 'docker.io/library/b:1', platform: amd64, manifest: manifestOf('ours') });
    const written = JSON.parse(readFileSync(path.join(folder, 'index.json'), 'utf8'));
    expect(written.annotations).toEqual({ made: 'elsewhere' });
    expect(written.manifests[0]).toEqual(odd);
  });

  it('stay in index.json when somebody who found none comes late with an empty one', async () => {
    const folder = path.join(tempDir(), 'store');
    const held = deferred<void>();
    const reached = holdFirstWrite('index.json', held.promise);
    const late = open(folder);
    await reached;
    const { images } = await open(folder);
    await images.record({ name: 'docker.io/library/b:1', platform: amd64, manifest: manifestOf('b') });
    held.resolve();
    await late;
    expect(indexOf(folder)).toHaveLength(1);
  });

  it('are all there when several processes record them at once', async () => {
    const program = await makeProgram(`
      for (let i = 0; i < 6; i += 1) {
        const digest = 'sha256:' + String(i).repeat(64);
        const manifest = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: 10 };
        const platform = { os: 'linux', architecture: 'amd64' };
        await store.images.record({ name: \`docker.io/library/\${name}-\${i}:latest\`, platform, manifest });
      }`);
    const folder = path.join(tempDir(), 'store');
    await runAll(program, folder, ['a', 'b', 'c', 'd']);
    expect(indexOf(folder)).toHaveLength(24);
    expect(readdirSync(path.join(folder, 'ingest'))).toEqual([]);
  });

  it('are read without the one whose record is damaged, which is reported', async () => {
    const folder = path.join(tempDir(), 'store');
    const warnings: string[] = [];
    const log = { debug() {}, info() {}, error() {}, warn: (_: object, text: string) => warnings.push(text) };
    const { images } = await openStore({ path: folder, clock: systemClock, log });
    await images.record({ name: 'docker.io/library/b:1', platform: amd64, manifest: manifestOf('b') });
    writeFileSync(path.join(folder, 'images', 'damaged.json'), '{"name":');
    expect(await images.list()).toHaveLength(1);
    expect(warnings).toEqual([expect.stringContaining('cannot be read')]);
  });

  it('keep a manifest only under the digest that it has', async () => {
    const folder = path.join(tempDir(), 'store');
    const { putDocument } = await open(folder);
    const { bytes, ...descriptor } = blobOf('a manifest');
    await putDocument(descriptor, bytes);
    expect(existsSync(path.join(folder, 'blobs', descriptor.digest.replace(':', '/')))).toBe(true);
    const wrong = putDocument(descriptor, Buffer.from('another'));
    await expect(wrong).rejects.toMatchObject({ code: 'digest_mismatch' });
    const misstated = putDocument({ ...descriptor, size: 1 }, bytes);
    await expect(misstated).rejects.toMatchObject({ code: 'size_mismatch' });
  });
});
