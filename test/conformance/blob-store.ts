import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import { toSessionId, toToken } from '../../src/core/ids.ts';
import type { BlobStore, Ingest } from '../../src/store/blob-store.ts';
import { blobOf, piecesOf, type TestBlob } from '../support/blobs.ts';

const layer = blobOf('the bytes of one layer, long enough to be cut into pieces');
const writer = (name: string, token = 1) => ({ session: toSessionId(name), token: toToken(token) });

/** Writes on from where the ingest is up to byte `end`, and commits when that is the whole. */
async function put(blobs: BlobStore, blob: TestBlob, end = blob.size): Promise<Ingest> {
  const ingest = await blobs.ingest(blob, writer('a'));
  for await (const piece of piecesOf(blob.bytes.subarray(0, end), ingest.offset)) await ingest.write(piece);
  if (end === blob.size) await ingest.commit();
  return ingest;
}

async function offsetOfNext(blobs: BlobStore, options?: { readonly fresh: boolean }): Promise<number> {
  const ingest = await blobs.ingest(layer, writer('next'), options);
  await ingest.discard();
  return ingest.offset;
}

async function read(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** What every implementation of `BlobStore` promises. `make` gives an empty store and is called once per case. */
export function describeBlobStore(name: string, make: () => Promise<BlobStore>): void {
  describe(`the blob store: ${name}`, () => {
    describe('publishing', () => publishingCases(make));
    describe('going on', () => resumingCases(make));
    describe('reading', () => readingCases(make));
    describe('deleting', () => deletingCases(make));
  });
}

function publishingCases(make: () => Promise<BlobStore>): void {
  it('affirms a blob once it is committed, and not before', async () => {
    const blobs = await make();
    const ingest = await blobs.ingest(layer, writer('a'));
    await ingest.write(layer.bytes);
    expect(ingest.written()).toBe(layer.size);
    expect(await blobs.has(layer)).toBe(false);
    await ingest.commit();
    expect(await blobs.has(layer)).toBe(true);
    expect(await blobs.has({ ...layer, size: layer.size + 1 })).toBe(false);
  });

  it('takes sha512 digests, and empty blobs', async () => {
    const blobs = await make();
    for (const blob of [{ ...layer, digest: digestOf(layer.bytes, 'sha512') }, blobOf('')]) {
      await put(blobs, blob);
      expect(await read(await blobs.open(blob.digest))).toEqual(blob.bytes);
    }
  });

  it('refuses wrong bytes and forgets them', async () => {
    const blobs = await make();
    const ingest = await blobs.ingest(layer, writer('a'));
    await ingest.write(Buffer.alloc(layer.size, 'x'));
    await expect(ingest.commit()).rejects.toMatchObject({ code: 'digest_mismatch' });
    await ingest.close();
    expect(await blobs.has(layer)).toBe(false);
    expect(await offsetOfNext(blobs)).toBe(0);
  });

  it('refuses more and fewer bytes than stated', async () => {
    const blobs = await make();
    const long = await blobs.ingest(layer, writer('a'));
    await expect(long.write(Buffer.alloc(layer.size + 1))).rejects.toMatchObject({ code: 'size_mismatch' });
    await long.discard();
    const short = await put(blobs, layer, 10);
    await expect(short.commit()).rejects.toMatchObject({ code: 'size_mismatch' });
    await short.close();
  });

  it('lets two writers publish one blob', async () => {
    const blobs = await make();
    const [a, b] = await Promise.all([blobs.ingest(layer, writer('a')), blobs.ingest(layer, writer('b'))]);
    await Promise.all([a.write(layer.bytes), b.write(layer.bytes)]);
    await Promise.all([a.commit(), b.commit()]);
    expect(await read(await blobs.open(layer.digest))).toEqual(layer.bytes);
  });
}

function resumingCases(make: () => Promise<BlobStore>): void {
  it('starts where a writer that closed had come to, with the right bytes in the end', async () => {
    const blobs = await make();
    await (await put(blobs, layer, 21)).close();
    const next = await blobs.ingest(layer, writer('b'));
    expect([next.offset, next.written()]).toEqual([21, 21]);
    await next.write(layer.bytes.subarray(21));
    await next.commit();
    expect(await read(await blobs.open(layer.digest))).toEqual(layer.bytes);
  });

  it('starts at zero after a discard, and when asked to', async () => {
    const blobs = await make();
    await (await put(blobs, layer, 21)).discard();
    const next = await blobs.ingest(layer, writer('b'));
    expect(next.offset).toBe(0);
    await next.write(layer.bytes.subarray(0, 5));
    await next.close();
    expect(await offsetOfNext(blobs)).toBe(5);
    expect(await offsetOfNext(blobs, { fresh: true })).toBe(0);
  });

  it('lets an ingest end twice, and leaves what it published', async () => {
    const blobs = await make();
    const ingest = await put(blobs, layer);
    for (const end of [ingest.close, ingest.discard, ingest.close]) await end.call(ingest);
    expect(await blobs.has(layer)).toBe(true);
  });
}

function readingCases(make: () => Promise<BlobStore>): void {
  it('gives a whole blob or a part of it, both ends included', async () => {
    const blobs = await make();
    await put(blobs, layer);
    const part = await read(await blobs.open(layer.digest, { start: 4, end: 8 }));
    expect(part.toString()).toBe('bytes');
  });

  it('says what is not there', async () => {
    const blobs = await make();
    expect(await blobs.has(layer)).toBe(false);
    await expect(blobs.open(layer.digest)).rejects.toMatchObject({ code: 'blob_not_found' });
  });

  it('lists what was published and nothing that is on its way', async () => {
    const blobs = await make();
    await put(blobs, layer);
    await (await put(blobs, blobOf('another layer'), 3)).close();
    const listed = [];
    for await (const blob of blobs.list()) listed.push(blob);
    expect(listed).toEqual([{ digest: layer.digest, size: layer.size }]);
  });
}

function deletingCases(make: () => Promise<BlobStore>): void {
  const token = toToken(1);

  it('removes a blob that nobody needs, and says how many bytes that freed', async () => {
    const blobs = await make();
    await put(blobs, layer);
    await put(blobs, blobOf('another layer'));
    expect(await blobs.delete(layer.digest, { token })).toEqual({ kind: 'deleted', bytes: layer.size });
    expect(await blobs.has(layer)).toBe(false);
    expect(await blobs.has(blobOf('another layer'))).toBe(true);
    await put(blobs, layer);
    expect(await blobs.has(layer)).toBe(true);
  });

  it('says what is not there, and leaves what is on its way', async () => {
    const blobs = await make();
    await (await put(blobs, layer, 21)).close();
    expect(await blobs.delete(layer.digest, { token })).toEqual({ kind: 'absent' });
    expect(await offsetOfNext(blobs)).toBe(21);
  });

  it('does nothing when it is stopped before', async () => {
    const blobs = await make();
    await put(blobs, layer);
    const check = () => {
      throw new Error('the lock is lost');
    };
    await expect(blobs.delete(layer.digest, { token, check })).rejects.toThrow('the lock is lost');
    expect(await blobs.has(layer)).toBe(true);
  });
}
