import { expect, it } from 'vitest';
import { type MakeClient, openWriter, put, randomContent } from './support.ts';

export function refusalCases(make: MakeClient): void {
  it('refuses data ahead of what is there, and data that overlaps it', async () => {
    const client = await make();
    for (const offset of [200, 50]) {
      const writer = await openWriter(client, 'c1');
      if (writer.offset() === 0) await writer.write(Buffer.alloc(100));
      const wrong = writer.send({ action: 'WRITE', offset, data: Buffer.from('x') });
      await expect(wrong).rejects.toMatchObject({ code: 'OUT_OF_RANGE' });
      await writer.ended;
    }
    const next = await openWriter(client, 'c1');
    expect(next.offset()).toBe(100);
  });

  it('refuses to write what exists, at the first message and at a later one', async () => {
    const client = await make();
    const content = randomContent(100);
    await put(client, 'c1', content);
    const named = client.writer('c2', { expected: content.digest });
    await expect(named).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
    const writer = await client.writer('c3');
    await writer.write(content.bytes.subarray(0, 50));
    const later = writer.send({ action: 'STAT', expected: content.digest });
    await expect(later).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
    await writer.ended;
  });

  it('refuses a stream without a reference', async () => {
    const client = await make();
    await expect(client.writer('')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it.each(['Info', 'Delete', 'Read'])('refuses to %s what is no digest', async (method) => {
    const client = await make();
    const read = (digest: string) => client.read(digest);
    for (const digest of ['', 'sha256:xyz', '../../etc/passwd', `sha256:${'a'.repeat(63)}`]) {
      const call = method === 'Read' ? read(digest) : client.call(method, { digest });
      await expect(call).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
  });

  it('knows nothing of what is not there', async () => {
    const client = await make();
    const { digest } = randomContent(8);
    await expect(client.info(digest)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(client.delete(digest)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(client.status('none')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(client.abort('none')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await client.listStatuses()).toEqual([]);
  });
}
