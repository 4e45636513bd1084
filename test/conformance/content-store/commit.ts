import { expect, it } from 'vitest';
import type { ContentClient } from '../../support/content-client.ts';
import { expectTaken, type MakeClient, openWriter, put, randomContent } from './support.ts';

/** A stream with these bytes in it, from the beginning or from where the last one stopped. */
async function filled(client: ContentClient, ref: string, bytes: Uint8Array) {
  const writer = await openWriter(client, ref);
  await expectTaken(client, ref);
  if (bytes.length > 0) await writer.write(bytes);
  return writer;
}

export function commitCases(make: MakeClient): void {
  it.each([true, false])('refuses a blob that exists, named beforehand: %s', async (isNamed) => {
    const client = await make();
    const content = randomContent(256);
    await put(client, 'c1', content);
    const writer = await filled(client, 'c2', content.bytes);
    const commit = writer.commit({ total: 256, expected: isNamed ? content.digest : '' });
    await expect(commit).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
    expect(await writer.ended).toBe('ALREADY_EXISTS');
    await expect(client.status('c2')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('leaves the reference free after each commit that fails, and keeps what was written', async () => {
    const client = await make();
    const content = randomContent(256);
    const { bytes, digest } = content;
    await put(client, 'c1', content);

    const twin = await filled(client, 'c2', bytes);
    await expect(twin.commit({ total: 256, expected: digest })).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
    });

    const more = Buffer.concat([bytes, Buffer.from('more')]);
    const wrong = await filled(client, 'c2', more);
    const other = randomContent(256).digest;
    await expect(wrong.commit({ total: 260, expected: other })).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
    });

    const short = await filled(client, 'c2', Buffer.alloc(0));
    expect(short.offset()).toBe(260);
    await expect(short.commit({ total: 256 })).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });

    const right = await filled(client, 'c2', Buffer.alloc(0));
    const { digest: found } = await right.commit({ total: 260 });
    expect(await client.readAll(found)).toEqual(more);
    await (await openWriter(client, 'c2')).close();
  });

  it('takes data with the commit', async () => {
    const client = await make();
    const { bytes, digest } = randomContent(300);
    const writer = await client.writer('c1');
    await writer.write(bytes.subarray(0, 100));
    await writer.commit({ data: bytes.subarray(100), expected: digest, total: 300 });
    expect(await client.readAll(digest)).toEqual(bytes);
  });

  it('takes a blob in one message', async () => {
    const client = await make();
    const { bytes, digest } = randomContent(300);
    const reply = await client.stream().send({ action: 'COMMIT', ref: 'c1', data: bytes, expected: digest });
    expect(reply).toMatchObject({ action: 'COMMIT', digest, offset: 300 });
    expect(await client.readAll(digest)).toEqual(bytes);
  });

  it('takes an empty blob', async () => {
    const client = await make();
    const empty = randomContent(0);
    await put(client, 'c1', empty);
    expect(await client.info(empty.digest)).toMatchObject({ size: 0 });
    expect(await client.readAll(empty.digest)).toEqual(empty.bytes);
  });

  it('ends the stream with the commit', async () => {
    const client = await make();
    const writer = await client.writer('c1');
    await writer.write(Buffer.from('x'));
    await writer.commit();
    expect(await writer.ended).toBe('OK');
    await expect(client.status('c1')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
}
