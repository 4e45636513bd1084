import { existsSync, mkdirSync, readFileSync, renameSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { mediaTypes } from '../../src/core/descriptor.ts';
import { toToken } from '../../src/core/ids.ts';
import { createChecker } from '../../src/store/checker.ts';
import { replaceFile } from '../../src/store/files.ts';
import { openStore } from '../../src/store/oci-layout.ts';
import { createRepair } from '../../src/store/repair.ts';
import { blobOf } from '../support/blobs.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { tempDir } from '../support/temp.ts';
import { blobFile, namesIn } from '../support/whole-store.ts';

const token = toToken(7);
const never = new AbortController().signal;
const { digest, bytes, size } = blobOf('{}', mediaTypes.ociManifest);
const image = {
  name: 'docker.io/library/app:latest',
  platform: { os: 'linux', architecture: 'amd64' },
  manifest: { mediaType: mediaTypes.ociManifest, digest, size },
};

async function setUp() {
  const root = path.join(tempDir(), 'store');
  const open = () => openStore({ path: root, clock: systemClock });
  const store = await open();
  const file = blobFile(root, digest);
  writeFileSync(file, bytes);
  return { root, store, file, open, repair: createRepair({ root }), checker: createChecker({ root }) };
}

describe('the removal of a wrong blob', () => {
  it('leaves one that is right, and nothing in the trash', async () => {
    const { root, file, repair } = await setUp();
    expect(await repair.discardWrong(digest, token, never)).toBe(false);
    expect(readFileSync(file)).toEqual(bytes);
    writeFileSync(file, 'wrong');
    expect(await repair.discardWrong(digest, token, never)).toBe(true);
    expect(existsSync(file)).toBe(false);
    expect(await repair.discardWrong(digest, token, never)).toBe(false);
    expect(namesIn(root, 'trash')).toEqual([]);
  });

  it('puts back what it has not read to its end when it is cancelled', async () => {
    const { root, file, repair } = await setUp();
    const reason = new Error('stop');
    await expect(repair.discardWrong(digest, token, AbortSignal.abort(reason))).rejects.toThrow('stop');
    expect(readFileSync(file)).toEqual(bytes);
    expect(namesIn(root, 'trash')).toEqual([]);
  });

  it('that was killed is ended an hour later, and the blob is not put back', async () => {
    const { root, store, file, open } = await setUp();
    await store.images.record(image);
    const left = path.join(root, 'trash', `wrong-${token}`);
    mkdirSync(left, { recursive: true });
    renameSync(file, path.join(left, 'blob'));
    await open();
    expect(existsSync(left)).toBe(true);
    const anHourAgo = new Date(Date.now() - 3_600_000);
    utimesSync(left, anHourAgo, anHourAgo);
    await open();
    expect([existsSync(left), existsSync(file)]).toEqual([false, false]);
  });
});

describe('the reading of a blob', () => {
  it('tells of each piece, of which none is large, and stops when it is told to', async () => {
    const { root, checker } = await setUp();
    const large = blobOf('x'.repeat(2_500_000));
    writeFileSync(blobFile(root, large.digest), large.bytes);
    const pieces: number[] = [];
    expect(await checker.read(large.digest, never, (piece) => pieces.push(piece))).toEqual({
      kind: 'read',
      digest: large.digest,
      size: large.size,
    });
    expect(pieces.reduce((sum, piece) => sum + piece, 0)).toBe(large.size);
    expect(Math.max(...pieces)).toBeLessThanOrEqual(1_048_576);
    const reason = new Error('stop');
    const reading = new AbortController();
    const stopping = checker.read(large.digest, reading.signal, () => reading.abort(reason));
    await expect(stopping).rejects.toBe(reason);
  });
});

describe('a file in images/', () => {
  it('stays when it is a record by the time it is set aside', async () => {
    const { root, store, repair } = await setUp();
    await store.images.record(image);
    const [name = ''] = namesIn(root, 'images');
    const file = path.join(root, 'images', name);
    const right = readFileSync(file, 'utf8');
    expect(await repair.setAside(file)).toBe(false);
    for (let round = 0; round < 200; round += 1) {
      writeFileSync(file, '{"name":');
      const record = replaceFile(file, right, path.join(root, 'ingest'));
      await Promise.all([record, repair.setAside(file)]);
      expect(readFileSync(file, 'utf8')).toBe(right);
    }
  });

  it('is set aside when it is a folder', async () => {
    const { root, repair } = await setUp();
    const folder = path.join(root, 'images', 'x.json');
    mkdirSync(folder);
    expect(await repair.setAside(folder)).toBe(true);
    expect(existsSync(folder)).toBe(false);
  });
});

describe('a blob that a deleter moved out of the way', () => {
  const moveAway = (root: string, file: string) => {
    mkdirSync(path.join(root, 'trash'));
    const away = path.join(root, 'trash', `${token}-${path.basename(file)}`);
    renameSync(file, away);
    return away;
  };

  it('is there when it comes back', async () => {
    const { root, file } = await setUp();
    const away = moveAway(root, file);
    const clock = createFakeClock();
    const looking = createChecker({ root }, clock).has(digest, never);
    while (clock.pending() === 0) await clock.advance(0);
    renameSync(away, file);
    await clock.advance(200);
    expect(await looking).toBe(true);
  });

  it('is missing when it does not', async () => {
    const { root, file, checker } = await setUp();
    moveAway(root, file);
    expect(await checker.has(digest, never)).toBe(false);
  });
});

describe('the index', () => {
  it('is not judged while somebody is still writing it', async () => {
    const { root, store } = await setUp();
    await store.images.record(image);
    const clock = createFakeClock();
    const file = path.join(root, 'index.json');
    const right = readFileSync(file, 'utf8');
    writeFileSync(file, right.replace('app:latest', 'app:older'));
    const judging = createChecker({ root }, clock).isIndexRight(never);
    while (clock.pending() === 0) await clock.advance(0);
    writeFileSync(file, right);
    await clock.advance(200);
    expect(await judging).toBe(true);
  });

  it('is wrong when it stays wrong', async () => {
    const { root, store, checker, repair } = await setUp();
    await store.images.record(image);
    writeFileSync(path.join(root, 'index.json'), '{"schemaVersion":2,"manifests":[]}');
    expect(await checker.isIndexRight(never)).toBe(false);
    await repair.deriveIndex();
    expect(await checker.isIndexRight(never)).toBe(true);
  });
});
