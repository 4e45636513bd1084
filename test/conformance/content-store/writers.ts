import { expect, it } from 'vitest';
import { digestOf } from '../../../src/core/digest.ts';
import {
  expectSince,
  expectTaken,
  keptLabels as labels,
  type MakeClient,
  openWriter,
  randomContent,
  toMs,
  writePieces,
} from './support.ts';

export function writerCases(make: MakeClient): void {
  it.each([
    { known: 'nothing', size: 0, hasDigest: false },
    { known: 'the size', size: 256, hasDigest: false },
    { known: 'the digest', size: 0, hasDigest: true },
    { known: 'size and digest', size: 256, hasDigest: true },
  ])('takes a blob in pieces of which $known is known beforehand', async ({ size, hasDigest }) => {
    const client = await make();
    const { bytes, digest } = randomContent(256);
    const writer = await client.writer('c1', { total: size, expected: hasDigest ? digest : '' });
    await writePieces(writer, bytes, 32);
    const startedMs = Date.now();
    const reply = await writer.commit({ labels });
    expect(reply).toMatchObject({ action: 'COMMIT', digest, offset: 256 });
    const info = await client.info(digest);
    expect(info).toMatchObject({ digest, size: 256, labels });
    expectSince(info.createdAt, startedMs);
    expectSince(info.updatedAt, startedMs);
  });

  it('tells with each step how far it is, since when, and the digest of what is there', async () => {
    const client = await make();
    const { bytes } = randomContent(256);
    const openedMs = Date.now();
    const writer = await client.writer('c1', { total: 256 });
    const first = await writer.stat();
    expect(first).toMatchObject({ action: 'STAT', offset: 0, total: 256, digest: digestOf(Buffer.alloc(0)) });
    expectSince(first.startedAt, openedMs);
    for (const end of [64, 192, 256]) {
      const writtenMs = Date.now();
      const { offset } = await writer.write(bytes.subarray(writer.offset(), end));
      expect(offset).toBe(end);
      const reply = await writer.stat();
      expect(reply).toMatchObject({ offset: end, total: 256, digest: digestOf(bytes.subarray(0, end)) });
      expect(toMs(reply.startedAt)).toBe(toMs(first.startedAt));
      expectSince(reply.updatedAt, writtenMs);
    }
  });

  it('shows an ingest to those who do not write it', async () => {
    const client = await make();
    const writer = await client.writer('c1', { total: 256 });
    await client.writer('c2');
    await writer.write(Buffer.alloc(100));
    expect(await client.status('c1')).toMatchObject({ ref: 'c1', offset: 100, total: 256 });
    const statuses = await client.listStatuses();
    expect(statuses.map(({ ref, offset }) => [ref, offset]).sort()).toEqual([
      ['c1', 100],
      ['c2', 0],
    ]);
    expect((await client.listStatuses('ref==c2')).map(({ ref }) => ref)).toEqual(['c2']);
    for (const { startedAt, updatedAt } of statuses) {
      expect(toMs(startedAt)).toBeGreaterThan(0);
      expect(toMs(updatedAt)).toBeGreaterThanOrEqual(toMs(startedAt));
    }
  });

  it('lets many writers on different references write at once', async () => {
    const client = await make();
    const all = Array.from({ length: 20 }, (_, number) => ({ ref: `c${number}`, ...randomContent(5_000) }));
    await Promise.all(
      all.map(async ({ ref, bytes, digest }) => {
        const writer = await client.writer(ref, { total: bytes.length });
        await writePieces(writer, bytes, 700);
        await writer.commit({ total: bytes.length, expected: digest });
      }),
    );
    for (const { digest, bytes } of all) expect(await client.readAll(digest)).toEqual(bytes);
  });

  it('lets one of several writers have a reference, and the next when it has ended', async () => {
    const client = await make();
    const writers = await Promise.allSettled([1, 2, 3, 4, 5].map(() => client.writer('one')));
    const [winner, ...others] = writers.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(others).toEqual([]);
    const failures = writers.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
    expect(failures).toHaveLength(4);
    for (const failure of failures) expect(failure).toMatchObject({ code: 'UNAVAILABLE' });
    await expectTaken(client, 'one');
    await winner?.close();
    await (await openWriter(client, 'one')).close();
  });
}
