import { expect, it } from 'vitest';
import { type MakeClient, put, randomContent } from './support.ts';

export function readingCases(make: MakeClient): void {
  it('gives less than asked for where the blob is shorter', async () => {
    const client = await make();
    const content = randomContent(6);
    await put(client, 'c1', content);
    const pieces = await client.read(content.digest, 0, 7);
    expect(Buffer.concat(pieces.map(({ data }) => data))).toEqual(content.bytes);
  });

  it('gives any part of a blob, and all that is behind an offset', async () => {
    const client = await make();
    const content = randomContent(5_000);
    await put(client, 'c1', content);
    const part = async (offset: number, size: number) =>
      Buffer.concat((await client.read(content.digest, offset, size)).map(({ data }) => data));
    expect(await part(1_000, 32)).toEqual(content.bytes.subarray(1_000, 1_032));
    expect(await part(4_990, 100)).toEqual(content.bytes.subarray(4_990));
    expect(await part(4_000, 0)).toEqual(content.bytes.subarray(4_000));
    expect(await part(5_000, 10)).toEqual(Buffer.alloc(0));
    expect(await part(-5, 10)).toEqual(content.bytes.subarray(0, 10));
  });

  it('gives a large blob in pieces, the same to several readers at once', async () => {
    const client = await make();
    const content = randomContent(3_500_000);
    await put(client, 'c1', content);
    const all = await Promise.all([1, 2, 3].map(() => client.read(content.digest)));
    for (const pieces of all) {
      expect(pieces.length).toBeGreaterThan(1);
      expect(Buffer.concat(pieces.map(({ data }) => data)).equals(content.bytes)).toBe(true);
    }
  });

  it('refuses to read behind the end, and what is not there', async () => {
    const client = await make();
    const content = randomContent(6);
    await put(client, 'c1', content);
    await expect(client.read(content.digest, 7)).rejects.toMatchObject({ code: 'OUT_OF_RANGE' });
    const missing = randomContent(6).digest;
    await expect(client.read(missing)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
}
