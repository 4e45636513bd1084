import { describe, expect, it } from 'vitest';
import { LayerpullError } from '../../src/core/errors.ts';
import { documentOf } from '../store/support.ts';
import { blobOf, type TestBlob } from '../support/blobs.ts';
import { holdBack } from '../support/fake-flights.ts';
import { setUpService } from './support.ts';

type Setup = Awaited<ReturnType<typeof setUpService>>;

const layer = blobOf('the bytes of a layer, which other nodes may want too');
const refOf = ({ digest }: { readonly digest: string }, kind = 'layer') => `default/1/${kind}-${digest}`;
const first = { total: layer.size };

async function commitLayer({ client }: Setup, blob: TestBlob = layer) {
  const writer = await client.writer(refOf(blob), { total: blob.size });
  await writer.write(blob.bytes);
  return await writer.commit({ total: blob.size, expected: blob.digest });
}

/** Commits a manifest that lists the layer, as containerd does before it asks for layers. */
async function commitManifest({ client }: Setup) {
  const { mediaType, digest, size } = layer;
  const manifest = documentOf({ config: null, layers: [{ mediaType, digest, size }] });
  const writer = await client.writer(refOf(manifest, 'manifest'), { total: manifest.size });
  await writer.write(manifest.bytes);
  await writer.commit({ expected: manifest.digest });
  return manifest;
}

describe('a layer that containerd pulls', () => {
  it('goes by a flight, and is in store and catalog then', async () => {
    const setup = await setUpService();
    const reply = await commitLayer(setup);
    expect(reply).toMatchObject({
      action: 'COMMIT',
      digest: layer.digest,
      offset: layer.size,
      total: layer.size,
    });
    expect(setup.flights.opened).toEqual([
      { mediaType: 'application/octet-stream', digest: layer.digest, size: layer.size },
    ]);
    expect(await setup.store.blobs.has(layer)).toBe(true);
    expect((await setup.client.list()).map(({ digest }) => digest)).toEqual([layer.digest]);
    expect(await setup.client.readAll(layer.digest)).toEqual(layer.bytes);
    expect(setup.flights.closed).toEqual([]);
  });

  it('is known by its size and type from a manifest that was committed before', async () => {
    const setup = await setUpService();
    await commitManifest(setup);
    const writer = await setup.client.writer(refOf(layer));
    expect(await writer.stat()).toMatchObject({ total: layer.size, digest: '' });
    const { mediaType, digest, size } = layer;
    expect(setup.flights.opened).toEqual([{ mediaType, digest, size }]);
  });

  it('is known from manifests that were committed before a restart', async () => {
    const setup = await setUpService();
    await commitManifest(setup);
    await setup.restart();
    await setup.client.writer(refOf(layer));
    expect(setup.flights.opened).toMatchObject([{ digest: layer.digest, size: layer.size }]);
  });

  it('comes by no flight where its size is not known, or another one than in its manifest', async () => {
    const setup = await setUpService();
    await (await setup.client.writer(refOf(layer))).close();
    await commitManifest(setup);
    await (await setup.client.writer(`${refOf(layer)}`.replace('/1/', '/2/'), { total: 5 })).close();
    expect(setup.flights.opened).toEqual([]);
  });

  it('is asked for again and again while another node brings it', async () => {
    const setup = await setUpService();
    const { client, flights } = setup;
    const wait = { kind: 'wait', reason: 'node-b downloads it' } as const;
    flights.script.set(layer.digest, [wait, wait]);
    for (const _ of [1, 2]) {
      const opening = client.writer(refOf(layer), first);
      await expect(opening).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        message: `ref ${refOf(layer)} locked: node-b downloads it`,
      });
    }
    expect(await client.listStatuses()).toEqual([]);
    await expect(client.status(refOf(layer))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await commitLayer(setup)).toMatchObject({ digest: layer.digest });
  });

  it('is found and not transferred once another node has brought it', async () => {
    const setup = await setUpService();
    const { client, flights } = setup;
    const ingest = await flights.open(layer);
    if (ingest.kind !== 'writer') throw new Error('no writer');
    await ingest.writer.write(layer.bytes);
    await ingest.writer.commit();
    flights.script.set(layer.digest, [{ kind: 'present' }]);
    await expect(client.writer(refOf(layer), first)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(await client.info(layer.digest)).toMatchObject({ size: layer.size });
    expect(setup.lines).toContainEqual({ message: 'present', digest: layer.digest, bytes: layer.size });
  });

  it('is taken again from a containerd that keeps its name spaces apart', async () => {
    const setup = await setUpService();
    const { client, flights } = setup;
    await commitLayer(setup);
    flights.script.set(layer.digest, [{ kind: 'present' }, { kind: 'present' }]);
    const ref = `other/7/layer-${layer.digest}`;
    await expect(client.writer(ref, first)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const writer = await client.writer(ref, first);
    await writer.write(layer.bytes);
    expect(await writer.stat()).toMatchObject({ digest: layer.digest });
    // By this answer containerd knows that it may note the blob in its other name space.
    const commit = writer.commit({ total: layer.size, expected: layer.digest });
    await expect(commit).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
  });

  it('fails with the reason of its flight, and not for ever', async () => {
    const { client, flights } = await setUpService();
    const failures = [
      ['content_refused', 'FAILED_PRECONDITION'],
      ['registry_unreachable', 'INTERNAL'],
      ['lock_refused', 'INTERNAL'],
      ['store_full', 'RESOURCE_EXHAUSTED'],
      ['access_denied', 'PERMISSION_DENIED'],
      ['blob_not_found', 'NOT_FOUND'],
    ] as const;
    for (const [code, status] of failures) {
      const error = new LayerpullError(code, 'it went wrong', { hint: 'look there' });
      flights.script.set(layer.digest, [{ kind: 'failed', error }]);
      await expect(client.writer(refOf(layer), first)).rejects.toMatchObject({
        code: status,
        message: 'it went wrong (look there)',
      });
    }
    const writer = await client.writer(refOf(layer), first);
    expect(writer.offset()).toBe(0);
  });

  it('is written by one stream at a time', async () => {
    const { client, flights } = await setUpService();
    const writer = await client.writer(refOf(layer), first);
    await writer.write(layer.bytes.subarray(0, 5));
    await expect(client.writer(refOf(layer), first)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(flights.opened).toHaveLength(1);
    const status = { offset: 5, total: layer.size, expected: layer.digest };
    expect(await client.status(refOf(layer))).toMatchObject(status);
  });
});

describe('the last byte of a layer', () => {
  it('publishes it before containerd commits, for a commit holds up all of containerd', async () => {
    const { client, store } = await setUpService();
    const writer = await client.writer(refOf(layer), first);
    await writer.write(layer.bytes.subarray(0, 10));
    expect(await store.blobs.has(layer)).toBe(false);
    const { digest } = await writer.write(layer.bytes.subarray(10));
    expect(digest).toBe(layer.digest);
    expect(await store.blobs.has(layer)).toBe(true);
    expect(await client.list()).toEqual([]);
    // Nobody removes it in between.
    expect((await store.references.read()).of(layer.digest)).toEqual([
      { kind: 'containerd', name: 'node-a' },
    ]);
    await writer.commit({ labels: { a: 'b' } });
    expect(await client.list()).toMatchObject([{ digest: layer.digest, labels: { a: 'b' } }]);
  });

  it('is enough for the other nodes where containerd never commits', async () => {
    const { client, store, flights } = await setUpService();
    const writer = await client.writer(refOf(layer), first);
    await writer.write(layer.bytes);
    writer.cancel();
    await expect.poll(async () => (await store.references.read()).of(layer.digest)).toEqual([]);
    expect(await store.blobs.has(layer)).toBe(true);
    expect(await client.list()).toEqual([]);
    expect(flights.closed).toEqual([]);
  });

  it('may come with the commit', async () => {
    const { client } = await setUpService();
    const writer = await client.writer(refOf(layer), first);
    await writer.commit({ data: layer.bytes, expected: layer.digest });
    expect(await client.readAll(layer.digest)).toEqual(layer.bytes);
  });

  it('lets the commit succeed also where the blob was found meanwhile', async () => {
    const { client } = await setUpService();
    const writer = await client.writer(refOf(layer), first);
    await writer.write(layer.bytes);
    expect(await client.info(layer.digest)).toMatchObject({ labels: {} });
    await writer.commit({ expected: layer.digest, labels: { a: 'b' } });
    expect(await client.info(layer.digest)).toMatchObject({ labels: { a: 'b' } });
  });
});

describe('a layer that goes wrong', () => {
  it('is refused at its commit when its bytes are others', async () => {
    const { client, store } = await setUpService();
    const writer = await client.writer(refOf(layer), first);
    await writer.write(Buffer.alloc(layer.size, 'x'));
    const commit = writer.commit({ total: layer.size, expected: layer.digest });
    await expect(commit).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
    expect(await store.blobs.has(layer)).toBe(false);
    expect((await store.references.read()).of(layer.digest)).toEqual([]);
    expect(await client.list()).toEqual([]);
  });

  it('is refused where it is longer or shorter than stated', async () => {
    const { client, flights } = await setUpService();
    const long = await client.writer(refOf(layer), first);
    await expect(long.write(Buffer.alloc(layer.size + 1))).rejects.toMatchObject({ code: 'OUT_OF_RANGE' });
    await long.ended;
    const short = await client.writer(refOf(layer), first);
    await short.write(layer.bytes.subarray(1));
    await expect(short.commit()).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
    await short.ended;
    const other = await client.writer(refOf(layer), first);
    await other.write(layer.bytes);
    const wrong = other.commit({ expected: blobOf('other').digest });
    await expect(wrong).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
    expect(flights.closed).toEqual(['was left by its client', 'was left by its client']);
  });

  it('ends its flight when its client goes away in the middle', async () => {
    const { client, flights } = await setUpService();
    const writer = await client.writer(refOf(layer), first);
    await writer.write(layer.bytes.subarray(0, 5));
    writer.cancel();
    await expect.poll(() => flights.closed).toEqual(['was left by its client']);
    const next = await client.writer(refOf(layer), first);
    await next.close();
    expect(flights.closed).toHaveLength(2);
  });

  it('ends its flight when containerd aborts it, and its stream', async () => {
    const { client, flights } = await setUpService();
    const writer = await client.writer(refOf(layer), first);
    await client.abort(refOf(layer));
    expect(await writer.ended).toBe('ABORTED');
    expect(flights.closed).toEqual(['was left by its client']);
  });

  it('is taken without a flight from a client that begins again at zero', async () => {
    const { client, flights } = await setUpService();
    const writer = await client.writer(refOf(layer), first);
    await writer.write(Buffer.alloc(7, 'x'));
    writer.truncate();
    await writer.write(layer.bytes);
    expect(flights.closed).toEqual(['was left by its client, which began again at zero']);
    expect(await writer.commit({ expected: layer.digest })).toMatchObject({ digest: layer.digest });
    expect(await client.readAll(layer.digest)).toEqual(layer.bytes);
  });
});

describe('a flight that takes nothing for a while', () => {
  it('ends when its client goes away meanwhile', async () => {
    const { client, flights } = await setUpService();
    const gate = holdBack();
    flights.hold = gate;
    const writer = await client.writer(refOf(layer), first);
    writer.push({ action: 'WRITE', offset: 0, data: layer.bytes });
    await expect.poll(() => flights.taken()).toBe(layer.size);
    writer.cancel();
    await expect.poll(() => flights.closed).toEqual(['was left by its client']);
    gate.resolve();
    flights.hold = undefined;
    await (await client.writer(refOf(layer), first)).close();
  });

  it('holds its client back', async () => {
    const { client, flights } = await setUpService();
    const big = blobOf('x'.repeat(32 * 1_048_576));
    const piece = big.bytes.subarray(0, 1_048_576);
    const gate = holdBack();
    flights.hold = gate;
    const writer = await client.writer(refOf(big), { total: big.size });
    for (let at = 0; at < big.size; at += piece.length) {
      writer.push({ action: 'WRITE', offset: at, data: piece });
    }
    await expect.poll(() => flights.taken()).toBe(piece.length);
    // Others are served meanwhile, and nothing more is taken of this one.
    expect(await client.listStatuses()).toHaveLength(1);
    expect(flights.taken()).toBe(piece.length);
    flights.hold = undefined;
    gate.resolve();
    await expect.poll(() => writer.offset()).toBe(big.size);
    await writer.commit({ expected: big.digest });
  });
});
