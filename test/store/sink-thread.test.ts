import { mkdirSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import fc from 'fast-check';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { digestOf } from '../../src/core/digest.ts';
import { toSessionId } from '../../src/core/ids.ts';
import { openStore } from '../../src/store/oci-layout.ts';
import { type OpenSink, openInlineSink } from '../../src/store/sink.ts';
import { createThreadSinks } from '../../src/store/sink-thread.ts';
import { blobOf } from '../support/blobs.ts';
import { inRoot } from '../support/root.ts';
import { tempDir } from '../support/temp.ts';

let inThread: OpenSink;

beforeAll(async () => {
  const folder = inRoot('.cache', 'test-programs');
  mkdirSync(folder, { recursive: true });
  const program = path.join(folder, 'sink-worker.mjs');
  const entryPoints = [inRoot('src', 'store', 'sink-worker.ts')];
  await build({ entryPoints, outfile: program, bundle: true, format: 'esm', platform: 'node' });
  inThread = createThreadSinks(pathToFileURL(program));
});

async function openFile() {
  const file = path.join(tempDir(), 'file');
  const handle = await open(file, 'wx+');
  onTestFinished(() => handle.close());
  return { file, handle };
}

describe.each([
  ['in a thread', () => inThread],
  ['in this thread', () => openInlineSink],
])('a sink %s', (_, kind) => {
  it('writes whatever pieces it gets, in their order, and knows their digest', async () => {
    const sizes = fc.array(
      fc.oneof(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 3_000_000 })),
      {
        maxLength: 6,
      },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(sizes, { maxLength: 4 }), async (rounds) => {
        const { file, handle } = await openFile();
        const sink = kind()(handle, 'sha512');
        const all: Buffer[] = [];
        for (const round of rounds) {
          const pieces = round.map((size) => Buffer.alloc(size, all.length + size));
          all.push(...pieces);
          await sink.append(pieces);
        }
        expect(await sink.finish()).toBe(digestOf(Buffer.concat(all), 'sha512'));
        await sink.settle();
        expect(readFileSync(file).equals(Buffer.concat(all))).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  it('tells what the system says, and takes no more', async () => {
    const { handle, file } = await openFile();
    const reading = await open(file, 'r');
    onTestFinished(() => reading.close());
    const sink = kind()(reading, 'sha256');
    const write = async () => {
      for (let round = 0; round < 4; round += 1) await sink.append([Buffer.alloc(2_000_000)]);
      await sink.finish();
    };
    await expect(write()).rejects.toMatchObject({ code: 'EBADF' });
    await sink.settle();
    expect((await handle.stat()).size).toBe(0);
  });

  it('says that there is no space left', async () => {
    const full = await open('/dev/full', 'w');
    onTestFinished(() => full.close());
    const sink = kind()(full, 'sha256');
    const write = async () => {
      await sink.append([Buffer.alloc(100)]);
      await sink.finish();
    };
    await expect(write()).rejects.toMatchObject({ code: 'ENOSPC' });
    await sink.settle();
  });

  it('tells of bytes when they are in the file, not before', async () => {
    const { file, handle } = await openFile();
    const sizes: number[] = [];
    const sink = kind()(handle, 'sha256', () => sizes.push(readFileSync(file).length));
    await sink.append([Buffer.alloc(1_500_000, 'x')]);
    await sink.append([Buffer.alloc(500_000, 'x')]);
    await sink.settle();
    expect(sizes.at(-1)).toBe(2_000_000);
    expect(sizes.every((size) => size > 0)).toBe(true);
  });

  it('has written all that it took once it is settled, though nobody finished it', async () => {
    const { file, handle } = await openFile();
    const sink = kind()(handle, 'sha256');
    await sink.append([Buffer.alloc(2_500_000, 'x')]);
    await sink.settle();
    expect(readFileSync(file)).toHaveLength(2_500_000);
  });
});

describe('a store whose blobs are written in a thread', () => {
  it('publishes many at once, each with its own bytes', async () => {
    const store = await openStore({ path: tempDir(), clock: systemClock, openSink: inThread });
    const blobs = Array.from({ length: 12 }, (_, place) => blobOf(`${place}`.repeat(400_000)));
    await Promise.all(
      blobs.map(async (blob, place) => {
        const ingest = await store.blobs.ingest(blob, { session: toSessionId(`s${place}`) });
        for (let at = 0; at < blob.size; at += 30_000)
          await ingest.write(blob.bytes.subarray(at, at + 30_000));
        await ingest.commit();
      }),
    );
    for (const blob of blobs) expect(await store.blobs.has(blob)).toBe(true);
  });

  it('goes on in this thread when the other one cannot be started', async () => {
    const broken = createThreadSinks(pathToFileURL(path.join(tempDir(), 'nothing.mjs')));
    const store = await openStore({ path: tempDir(), clock: systemClock, openSink: broken });
    const blob = blobOf('a layer');
    const attempt = async (name: string) => {
      const ingest = await store.blobs.ingest(blob, { session: toSessionId(name) });
      await ingest.write(blob.bytes);
      await ingest.commit();
    };
    await expect(attempt('first')).rejects.toMatchObject({ code: 'store_failed' });
    await attempt('second');
    expect(await store.blobs.has(blob)).toBe(true);
  });
});
