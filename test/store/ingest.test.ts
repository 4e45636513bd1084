import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { digestOf } from '../../src/core/digest.ts';
import { toSessionId, toToken } from '../../src/core/ids.ts';
import type { Ingest } from '../../src/store/blob-store.ts';
import { openStore } from '../../src/store/oci-layout.ts';
import { blobOf, piecesOf, type TestBlob } from '../support/blobs.ts';
import { tempDir } from '../support/temp.ts';

const layer = blobOf('the bytes of one layer, long enough to be cut into pieces');
const writer = (name: string, token = 1) => ({ session: toSessionId(name), token: toToken(token) });

async function setUp() {
  const root = path.join(tempDir(), 'store');
  const { blobs } = await openStore({ path: root, clock: systemClock });
  const fileOf = (blob: TestBlob) => path.join(root, 'blobs', blob.digest.replace(':', '/'));
  const partialsOf = (blob: TestBlob) => path.join(root, 'ingest', blob.digest.replace(':', '-'));
  return { root, blobs, fileOf, partialsOf };
}

async function feed(ingest: Ingest, blob: TestBlob, from = ingest.offset, to = blob.size): Promise<void> {
  for await (const piece of piecesOf(blob.bytes.subarray(0, to), from)) await ingest.write(piece);
}

/** Leaves the first bytes of a blob behind, as somebody does who is cut off. */
async function leavePartial(
  blobs: Awaited<ReturnType<typeof setUp>>['blobs'],
  blob: TestBlob,
  bytes: number,
) {
  const ingest = await blobs.ingest(blob, writer('gone'), { fresh: true });
  await feed(ingest, blob, 0, bytes);
  await ingest.close();
}

async function readAll(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes) pieces.push(piece);
  return Buffer.concat(pieces);
}

function openFiles(): number {
  return existsSync('/proc/self/fd') ? readdirSync('/proc/self/fd').length : 0;
}

/** What all open files of `node:fs/promises` inherit from. */
async function fileHandles(): Promise<FileHandle> {
  const handle = await open(process.execPath, 'r');
  await handle.close();
  return Object.getPrototypeOf(handle);
}

function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

describe('a blob on its way into the store', () => {
  it('is there under its digest once it is committed, and not before', async () => {
    const { blobs, fileOf, partialsOf } = await setUp();
    const ingest = await blobs.ingest(layer, writer('a'));
    await feed(ingest, layer);
    expect(await blobs.has(layer)).toBe(false);
    expect(existsSync(fileOf(layer))).toBe(false);
    await ingest.commit();
    expect(await blobs.has(layer)).toBe(true);
    expect(readFileSync(fileOf(layer))).toEqual(layer.bytes);
    expect(existsSync(partialsOf(layer))).toBe(false);
  });

  it('may have a sha512 digest, and may be empty', async () => {
    const { blobs, fileOf } = await setUp();
    const strong = { ...layer, digest: digestOf(layer.bytes, 'sha512') };
    const empty = blobOf('');
    for (const blob of [strong, empty]) {
      const ingest = await blobs.ingest(blob, writer('a'));
      await feed(ingest, blob);
      await ingest.commit();
      expect(readFileSync(fileOf(blob))).toEqual(blob.bytes);
    }
  });

  it('is refused when its bytes are wrong, and nothing of it is kept', async () => {
    const { blobs, fileOf, partialsOf } = await setUp();
    const ingest = await blobs.ingest(layer, writer('a'));
    await ingest.write(Buffer.alloc(layer.size, 'x'));
    await expect(ingest.commit()).rejects.toMatchObject({ code: 'digest_mismatch', exitCode: 6 });
    expect(existsSync(fileOf(layer))).toBe(false);
    expect(readdirSync(partialsOf(layer))).toEqual([]);
  });

  it('is refused when it is longer or shorter than stated', async () => {
    const { blobs } = await setUp();
    const long = await blobs.ingest(layer, writer('a'));
    await expect(long.write(Buffer.alloc(layer.size + 1))).rejects.toMatchObject({ code: 'size_mismatch' });
    await long.discard();
    const short = await blobs.ingest(layer, writer('b'));
    await feed(short, layer, 0, 10);
    await expect(short.commit()).rejects.toMatchObject({ code: 'size_mismatch' });
  });

  it('goes on from a copy of what another writer left, whose own file stays as it was', async () => {
    const { blobs, partialsOf, fileOf } = await setUp();
    await leavePartial(blobs, layer, 20);
    await leavePartial(blobs, layer, 30);
    const before = readdirSync(partialsOf(layer)).map((name) =>
      readFileSync(path.join(partialsOf(layer), name)),
    );
    const copied: number[] = [];
    const ingest = await blobs.ingest(layer, writer('next'), { onCopied: (bytes) => copied.push(bytes) });
    expect(copied.at(-1)).toBe(ingest.offset);
    expect(ingest.offset).toBe(30);
    const others = readdirSync(partialsOf(layer)).filter((name) => !name.startsWith('next'));
    expect(others.map((name) => readFileSync(path.join(partialsOf(layer), name)))).toEqual(before);
    await feed(ingest, layer);
    await ingest.commit();
    expect(readFileSync(fileOf(layer))).toEqual(layer.bytes);
  });

  it('starts at zero when it is told to, or when what was left cannot be a part of it', async () => {
    const { blobs, partialsOf, root } = await setUp();
    await leavePartial(blobs, layer, 20);
    const fresh = await blobs.ingest(layer, writer('b'), { fresh: true });
    expect(fresh.offset).toBe(0);
    await fresh.discard();
    const other = blobOf('another layer');
    mkdirSync(partialsOf(other));
    writeFileSync(path.join(partialsOf(other), 'too-big'), Buffer.alloc(other.size + 1));
    writeFileSync(path.join(root, 'secret'), 'not for images');
    symlinkSync(path.join(root, 'secret'), path.join(partialsOf(other), 'a-link'));
    const ingest = await blobs.ingest(other, writer('b'));
    expect(ingest.offset).toBe(0);
    await ingest.close();
  });

  it('forgets the partial that it inherited when that turns out to be wrong', async () => {
    const { blobs, partialsOf } = await setUp();
    mkdirSync(partialsOf(layer));
    writeFileSync(path.join(partialsOf(layer), 'rotten'), 'rotten');
    const ingest = await blobs.ingest(layer, writer('b'));
    expect(ingest.offset).toBe(6);
    await feed(ingest, layer);
    await expect(ingest.commit()).rejects.toMatchObject({ code: 'digest_mismatch' });
    expect(readdirSync(partialsOf(layer))).toEqual([]);
  });

  it('can be published by two writers at once', async () => {
    const { blobs } = await setUp();
    const [a, b] = await Promise.all([blobs.ingest(layer, writer('a')), blobs.ingest(layer, writer('b'))]);
    await Promise.all([feed(a, layer), feed(b, layer)]);
    await Promise.all([a.commit(), b.commit()]);
    expect(await blobs.has(layer)).toBe(true);
  });

  it('gives each ingest of one writer a file of its own', async () => {
    const { blobs } = await setUp();
    const [a, b] = await Promise.all([blobs.ingest(layer, writer('a')), blobs.ingest(layer, writer('a'))]);
    await feed(a, layer);
    await b.write(Buffer.from('something else'));
    await a.commit();
    await b.discard();
    expect(await blobs.has(layer)).toBe(true);
  });

  it('is not published after a write that failed, though more of it came', async () => {
    const { blobs } = await setUp();
    const big = blobOf('x'.repeat(2_500_000));
    const ingest = await blobs.ingest(big, writer('a'));
    const failing = vi.spyOn(await fileHandles(), 'writev').mockRejectedValueOnce(systemError('ENOSPC'));
    const first = ingest.write(big.bytes.subarray(0, 1_500_000));
    await expect(first).rejects.toMatchObject({ code: 'store_full', exitCode: 8 });
    failing.mockRestore();
    await expect(ingest.write(big.bytes.subarray(1_500_000))).resolves.toBeUndefined();
    await expect(ingest.commit()).rejects.toMatchObject({ code: 'store_full' });
    expect(await blobs.has(big)).toBe(false);
  });

  it('is not published when its file was cut by somebody else', async () => {
    const { blobs, partialsOf } = await setUp();
    const big = blobOf('y'.repeat(1_500_000));
    const ingest = await blobs.ingest(big, writer('a'));
    await ingest.write(big.bytes.subarray(0, 1_100_000));
    const partial = path.join(partialsOf(big), 'a-1');
    expect(statSync(partial).size).toBe(1_100_000);
    truncateSync(partial, 10);
    await ingest.write(big.bytes.subarray(1_100_000));
    await expect(ingest.commit()).rejects.toMatchObject({ code: 'store_failed' });
    expect(await blobs.has(big)).toBe(false);
  });

  it('keeps few pieces in memory, however small they come', async () => {
    const { blobs, partialsOf } = await setUp();
    const ingest = await blobs.ingest(blobOf('z'.repeat(10_000)), writer('a'));
    for (let piece = 0; piece < 5_000; piece += 1) await ingest.write(Buffer.from('z'));
    const onDisk = statSync(path.join(partialsOf(blobOf('z'.repeat(10_000))), 'a-1')).size;
    expect(onDisk).toBeGreaterThanOrEqual(4_000);
    await ingest.discard();
  });

  it('stays in its folder, whatever the session is called', async () => {
    const { blobs, root, partialsOf } = await setUp();
    for (const name of ['../../../escaped', '/escaped', '..', 'long'.repeat(64), 'a\nb', '']) {
      const ingest = await blobs.ingest(layer, writer(name));
      await ingest.close();
    }
    expect(readdirSync(partialsOf(layer))).toHaveLength(6);
    expect(readdirSync(path.dirname(root))).toEqual(['store']);
  });

  it('leaves no file open, however it ends', async () => {
    const { blobs } = await setUp();
    const before = openFiles();
    for (const end of ['close', 'discard', 'commit'] as const) {
      const ingest = await blobs.ingest(layer, writer(end));
      await feed(ingest, layer);
      await ingest[end]();
      await ingest.close();
      await ingest.discard();
    }
    expect(openFiles()).toBeLessThanOrEqual(before);
  });

  it('has the right bytes for every way of cutting it up and every point of interruption', async () => {
    const { root } = await setUp();
    let run = 0;
    const cuts = fc.array(fc.nat({ max: layer.size }), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(cuts, fc.integer({ min: 1, max: 9 }), async (ends, pieceBytes) => {
        run += 1;
        const { blobs } = await openStore({ path: path.join(root, `../store-${run}`), clock: systemClock });
        for (const [index, end] of ends.entries()) {
          const ingest = await blobs.ingest(layer, writer('cut', index + 1));
          const rest = layer.bytes.subarray(0, Math.max(end, ingest.offset));
          for await (const piece of piecesOf(rest, ingest.offset, pieceBytes)) await ingest.write(piece);
          await ingest.close();
          expect(await blobs.has(layer)).toBe(false);
        }
        const last = await blobs.ingest(layer, writer('last'));
        await feed(last, layer);
        await last.commit();
        expect(await readAll(await blobs.open(layer.digest))).toEqual(layer.bytes);
      }),
      { numRuns: 25 },
    );
  });
});

describe('the blobs of a store', () => {
  it('can be read in part, and are listed', async () => {
    const { blobs } = await setUp();
    const ingest = await blobs.ingest(layer, writer('a'));
    await feed(ingest, layer);
    await ingest.commit();
    const part = await readAll(await blobs.open(layer.digest, { start: 4, end: 8 }));
    expect(part.toString()).toBe('bytes');
    const listed = [];
    for await (const blob of blobs.list()) listed.push(blob);
    expect(listed).toEqual([{ digest: layer.digest, size: layer.size }]);
  });

  it('tell in our words what cannot be read', async () => {
    const { blobs, fileOf } = await setUp();
    mkdirSync(fileOf(layer));
    await expect(blobs.open(layer.digest).then(readAll)).rejects.toMatchObject({ code: 'store_unusable' });
    const ingest = await blobs.ingest(layer, writer('a'));
    await feed(ingest, layer);
    const message = expect.stringContaining(`${fileOf(layer)}: a folder stands in its place`);
    await expect(ingest.commit()).rejects.toMatchObject({ code: 'store_unusable', message });
  });

  it('are not there when they are missing or have another size', async () => {
    const { blobs, fileOf } = await setUp();
    await expect(blobs.open(layer.digest)).rejects.toMatchObject({ code: 'blob_not_found', origin: 'store' });
    writeFileSync(fileOf(layer), 'half');
    expect(await blobs.has(layer)).toBe(false);
    const ingest = await blobs.ingest(layer, writer('a'));
    await feed(ingest, layer);
    await ingest.commit();
    expect(await blobs.has(layer)).toBe(true);
  });
});
