import { expect, it } from 'vitest';
import { digestOf } from '../../../src/core/digest.ts';
import type { TestWriter } from '../../support/content-client.ts';
import { type MakeClient, openWriter, put, randomContent, toMs, writePieces } from './support.ts';

/** What a client that finds a part does next. */
const ways = {
  'begins again at zero': async (writer: TestWriter, bytes: Buffer) => {
    writer.truncate();
    await writePieces(writer, bytes, 1_024);
  },
  'skips what is there': async (writer: TestWriter, bytes: Buffer) => {
    await writePieces(writer, bytes.subarray(writer.offset()), 1_024);
  },
  'copies the rest at once': async (writer: TestWriter, bytes: Buffer) => {
    if (writer.offset() < bytes.length) await writer.write(bytes.subarray(writer.offset()));
  },
} as const;

export function resumeCases(make: MakeClient): void {
  it('shows the next writer what the last one did', async () => {
    const client = await make();
    const { bytes, digest } = randomContent(256);
    const first = await client.writer('cb', { total: 256, expected: digest });
    await first.write(bytes.subarray(0, 128));
    const before = await first.stat();
    await first.close();
    const second = await openWriter(client, 'cb', { total: 256, expected: digest });
    const after = await second.stat();
    expect(after).toMatchObject({ offset: 128, total: 256, digest: digestOf(bytes.subarray(0, 128)) });
    expect(toMs(after.startedAt)).toBe(toMs(before.startedAt));
    await second.write(bytes.subarray(128));
    expect(await second.stat()).toMatchObject({ offset: 256, digest });
    await second.commit();
    expect(await client.readAll(digest)).toEqual(bytes);
  });

  it.each(Object.entries(ways))('lets a writer come back that %s', async (_, goOn) => {
    const client = await make();
    for (const size of [500, 50_000]) {
      for (const part of [0, 0.1, 0.5, 0.9, 1]) {
        const { bytes, digest } = randomContent(size);
        const limit = Math.floor(size * part);
        const ref = `ref-${size}-${part}`;
        const first = await client.writer(ref, { total: size, expected: digest });
        if (limit > 0) await first.write(bytes.subarray(0, limit));
        await first.close();
        const second = await openWriter(client, ref, { total: size, expected: digest });
        expect((await second.stat()).offset).toBe(limit);
        await goOn(second, bytes);
        await second.commit({ total: size, expected: digest });
        expect(await client.readAll(digest)).toEqual(bytes);
      }
    }
  });

  it('forgets what was behind zero when a writer begins again', async () => {
    const client = await make();
    const short = randomContent(10);
    const writer = await client.writer('c1');
    await writer.write(Buffer.alloc(1_000, 1));
    writer.truncate();
    expect(await writer.write(short.bytes)).toMatchObject({ offset: 10 });
    await writer.commit({ total: 10, expected: short.digest });
    expect(await client.readAll(short.digest)).toEqual(short.bytes);
  });

  it('keeps what a client wrote that went away in the middle', async () => {
    const client = await make();
    const content = randomContent(5_000);
    const writer = await client.writer('c1', { total: 5_000 });
    await writer.write(content.bytes.subarray(0, 3_000));
    writer.cancel();
    const next = await openWriter(client, 'c1', { total: 5_000 });
    expect(next.offset()).toBe(3_000);
  });

  it('removes what is there when told to', async () => {
    const client = await make();
    const writer = await client.writer('c1');
    await writer.write(Buffer.alloc(100));
    await writer.close();
    await client.abort('c1');
    await expect(client.status('c1')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(client.abort('c1')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const next = await openWriter(client, 'c1');
    expect(next.offset()).toBe(0);
    await next.close();
    await put(client, 'c2', randomContent(10));
  });
}
