import { describe, expect, test } from 'vitest';
import { createMirrorLayers, type MirrorLayersOptions } from '../../src/compose/mirror-layers.ts';
import { deferred } from '../../src/core/abort.ts';
import { LayerpullError } from '../../src/core/errors.ts';
import type { BlobSource } from '../../src/source/blob-source.ts';
import { createFakeBlobStore } from '../support/fake-blob-store.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { makeBlob } from '../support/fake-registry.ts';

const blob = makeBlob(Buffer.from('the bytes of a layer'), 'application/octet-stream');
const whole = { start: 0, end: blob.size - 1 };
const sourceAt = (url: string): BlobSource => ({
  url,
  // biome-ignore lint/correctness/useYield: nobody reads it
  async *open() {
    throw new Error('the download of the test is not made of it');
  },
});
const mine = sourceAt('https://mine.example');
const theirs = sourceAt('https://theirs.example');

/** Downloads that end when the test says so. */
function createStage(follow?: MirrorLayersOptions['follow']) {
  const clock = createFakeClock();
  const blobs = createFakeBlobStore();
  const downloads: { url: string; end: ReturnType<typeof deferred<void>>; signal: AbortSignal }[] = [];
  const layers = createMirrorLayers({
    ...{ blobs, clock, follow },
    bring: async (_, descriptor, { url }, signal) => {
      const end = deferred<void>();
      downloads.push({ url, end, signal });
      signal.addEventListener('abort', () => end.reject(signal.reason));
      await end.promise;
      blobs.blobs.set(descriptor.digest, blob.bytes);
    },
  });
  const { signal } = new AbortController();
  const read = async (source: BlobSource, range = whole, within = signal) => {
    const pieces: Uint8Array[] = [];
    for await (const piece of layers.read('app', blob, source, range, within)) pieces.push(piece);
    return Buffer.concat(pieces).toString();
  };
  return { clock, blobs, downloads, layers, read, signal };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const denied = () => new LayerpullError('access_denied', 'no');

describe('a blob of a mirror', () => {
  test('is brought once for all who ask at the same time, and each gets the bytes it wants', async () => {
    const { read, downloads, layers, signal } = createStage();
    const answers = [read(mine), read(theirs), read(mine, { start: 4, end: 8 })];
    const brought = layers.bring('app', blob, theirs, signal);
    await turn();
    expect(downloads.map(({ url }) => url)).toEqual([mine.url]);
    downloads[0]?.end.resolve();
    expect(await Promise.all(answers)).toEqual(['the bytes of a layer', 'the bytes of a layer', 'bytes']);
    await brought;
    expect(await read(theirs)).toBe('the bytes of a layer');
    expect(downloads).toHaveLength(1);
  });

  test('fails as its download did', async () => {
    const { read, downloads } = createStage();
    const answer = read(mine);
    await turn();
    downloads[0]?.end.reject(denied());
    await expect(answer).rejects.toMatchObject({ code: 'access_denied' });
  });

  test('is brought for who may read it when another who may not was first', async () => {
    const { read, downloads, layers, signal, clock } = createStage();
    const first = read(theirs);
    await turn();
    const [second, third] = [read(mine), layers.bring('app', blob, mine, signal)];
    await turn();
    downloads[0]?.end.reject(denied());
    await expect(first).rejects.toMatchObject({ code: 'access_denied' });
    await clock.advance(25);
    await turn();
    expect(downloads.map(({ url }) => url)).toEqual([theirs.url, mine.url]);
    downloads[1]?.end.resolve();
    expect(await second).toBe('the bytes of a layer');
    await third;
  });

  test('goes on for a while when the last client left, for the one that comes back', async () => {
    const { read, downloads, clock } = createStage();
    const leaving = new AbortController();
    const first = read(mine, whole, leaving.signal);
    await turn();
    leaving.abort(new Error('left'));
    await expect(first).rejects.toThrow('left');
    await clock.advance(9_000);
    expect(downloads[0]?.signal.aborted).toBe(false);
    const second = read(mine);
    await turn();
    await clock.advance(60_000);
    expect(downloads.map(({ signal }) => signal.aborted)).toEqual([false]);
    downloads[0]?.end.resolve();
    expect(await second).toBe('the bytes of a layer');
  });

  test('is given up when nobody comes back', async () => {
    const { read, downloads, clock } = createStage();
    const leaving = new AbortController();
    const first = read(mine, whole, leaving.signal);
    await turn();
    leaving.abort(new Error('left'));
    await expect(first).rejects.toThrow('left');
    await clock.advance(11_000);
    expect(downloads[0]?.signal.aborted).toBe(true);
  });

  test('ends with the mirror', async () => {
    const { read, layers } = createStage();
    const first = read(mine);
    const ended = expect(first).rejects.toThrow('the mirror is closed');
    await turn();
    await layers.close();
    await ended;
    await expect(read(mine)).rejects.toThrow('the mirror is closed');
    await layers.close();
  });
});

describe('a blob that is followed while it is written', () => {
  test('comes as it is written', async () => {
    const more = deferred<void>();
    const stage = createStage({
      open: async () => ({
        async *read({ start }) {
          yield blob.bytes.subarray(start, 3);
          await more.promise;
          yield blob.bytes.subarray(3);
        },
        close: async () => {},
      }),
    });
    const bytes = stage.layers.read('app', blob, mine, whole, stage.signal)[Symbol.asyncIterator]();
    expect(Buffer.from((await bytes.next()).value).toString()).toBe('the');
    more.resolve();
    expect(Buffer.from((await bytes.next()).value).toString()).toBe(' bytes of a layer');
    expect((await bytes.next()).done).toBe(true);
  });

  test('goes on from where it was when its writer is replaced', async () => {
    const ranges: number[] = [];
    let closed = 0;
    const stage = createStage({
      open: async () => ({
        async *read({ start }) {
          ranges.push(start);
          yield blob.bytes.subarray(start, start + 5);
          throw new LayerpullError('store_failed', 'its writer gave up');
        },
        close: async () => {
          closed += 1;
        },
      }),
    });
    const answer = stage.read(mine);
    await turn();
    await stage.clock.advance(25);
    await turn();
    stage.downloads[0]?.end.resolve();
    await turn();
    await stage.clock.advance(25);
    expect(await answer).toBe('the bytes of a layer');
    expect(ranges).toEqual([0, 5]);
    expect(closed).toBe(2);
  });

  test('is waited for until somebody writes it', async () => {
    let isWritten = false;
    const stage = createStage({
      open: async () =>
        isWritten
          ? {
              async *read() {
                yield blob.bytes;
              },
              close: async () => {},
            }
          : undefined,
    });
    const answer = stage.read(mine);
    await turn();
    isWritten = true;
    await stage.clock.advance(25);
    expect(await answer).toBe('the bytes of a layer');
  });
});
