import { Client, credentials } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { put, randomContent } from '../conformance/content-store/support.ts';
import { onCleanup } from '../support/cleanup.ts';
import { setUpService } from './support.ts';

const mebibyte = 1_048_576;

/** Sends bytes as a message of any call. Answers the code. */
function sendRaw(socket: string, method: string, bytes: Uint8Array): Promise<number> {
  const client = new Client(`unix:${socket}`, credentials.createInsecure());
  onCleanup(() => client.close());
  const same = (value: Uint8Array) => Buffer.from(value);
  return new Promise((resolve) => {
    const stream = client.makeBidiStreamRequest(
      `/containerd.services.content.v1.Content/${method}`,
      same,
      same,
    );
    stream.on('data', () => {});
    stream.on('error', () => {});
    stream.on('status', ({ code }) => resolve(code));
    stream.write(bytes);
    stream.end();
  });
}

describe('a message', () => {
  it('may have nearly 20 MiB, and is refused above that', async () => {
    const { client } = await setUpService();
    const content = randomContent(20 * mebibyte - 1_024);
    const writer = await client.writer('c1');
    await writer.write(content.bytes);
    await writer.commit({ expected: content.digest });
    expect((await client.readAll(content.digest)).equals(content.bytes)).toBe(true);
    const tooLong = await client.writer('c2');
    const write = tooLong.write(Buffer.alloc(20 * mebibyte + 1));
    await expect(write).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
  });

  it.each(['Info', 'Update', 'List', 'Delete', 'Read', 'Status', 'ListStatuses', 'Write', 'Abort'])(
    'of %s that nobody can read ends that call only',
    async (method) => {
      const { socket, client } = await setUpService();
      for (const bytes of ['ff', '0affffffff7f', '0a05ff', '08ffffffffffffffffffff', '0a02c328']) {
        expect(await sendRaw(socket, method, Buffer.from(bytes, 'hex'))).not.toBe(-1);
      }
      const content = randomContent(10);
      await put(client, 'c1', content);
      expect(await client.readAll(content.digest)).toEqual(content.bytes);
    },
  );

  it('with a number that is no length is refused', async () => {
    const { client } = await setUpService();
    for (const wrong of [{ offset: 2 ** 63 }, { offset: -1 }, { offset: -(2 ** 63) }, { total: 2 ** 63 }]) {
      const writer = await client.writer('c1');
      const write = writer.send({ action: 'WRITE', data: Buffer.from('x'), ...wrong });
      await expect(write).rejects.toMatchObject({ code: 'OUT_OF_RANGE' });
      await writer.ended;
    }
    const content = randomContent(10);
    await put(client, 'c2', content);
    const read = client.read(content.digest, 2 ** 63);
    await expect(read).rejects.toMatchObject({ code: 'OUT_OF_RANGE' });
    expect(await client.read(content.digest, 0, 2 ** 63)).toMatchObject([{ data: content.bytes }]);
  });

  it('with an action that is not known, or another reference, is refused', async () => {
    const { client } = await setUpService();
    const one = await client.writer('c1');
    await expect(one.send({ action: 7 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    const two = await client.writer('c2');
    await expect(two.send({ action: 'STAT', ref: 'c3' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    const long = client.writer('r'.repeat(5_000));
    await expect(long).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('with a digest that is none is refused wherever one may stand', async () => {
    const { client } = await setUpService();
    const wrong = { code: 'INVALID_ARGUMENT' };
    await expect(client.writer('c1', { expected: 'md5:abc' })).rejects.toMatchObject(wrong);
    await expect(client.update('../x', {})).rejects.toMatchObject(wrong);
    await expect(client.call('Update', {})).rejects.toMatchObject(wrong);
    const writer = await client.writer('c2');
    await expect(writer.commit({ expected: 'sha256:' })).rejects.toMatchObject(wrong);
  });
});

describe('labels', () => {
  it('may have any name, and not any length', async () => {
    const { client } = await setUpService();
    const content = randomContent(10);
    const odd = { __proto__x: 'a', 'a.b/c': 'ü', constructor: 'c', '': 'nothing' };
    await put(client, 'c1', content, odd);
    expect((await client.info(content.digest)).labels).toMatchObject(odd);
    const long = client.update(content.digest, { k: 'v'.repeat(4_096) });
    await expect(long).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    const many = Object.fromEntries(Array.from({ length: 1_001 }, (_, number) => [`k${number}`, 'v']));
    const tooMany = client.update(content.digest, many);
    await expect(tooMany).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    const writer = await client.writer('c2');
    await writer.write(Buffer.from('more'));
    const commit = writer.commit({ labels: { k: 'v'.repeat(4_096) } });
    await expect(commit).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(await client.list()).toHaveLength(1);
  });
});

describe('references', () => {
  it('name no files', async () => {
    const { client } = await setUpService();
    for (const ref of ['../../../tmp/x', '/etc/passwd', 'a\0b', '.', 'ü/\n']) {
      const content = randomContent(10);
      await put(client, ref, content);
      expect(await client.readAll(content.digest)).toEqual(content.bytes);
    }
  });
});

describe('a client', () => {
  it('that goes away while it reads leaves the others alone', async () => {
    const { client, socket } = await setUpService();
    const content = randomContent(19 * mebibyte);
    const writer = await client.writer('c1');
    await writer.write(content.bytes);
    await writer.commit();
    const hasty = new Client(`unix:${socket}`, credentials.createInsecure());
    const bytes = Buffer.concat([Buffer.from([0x0a, content.digest.length]), Buffer.from(content.digest)]);
    await new Promise<void>((resolve) => {
      const stream = hasty.makeServerStreamRequest(
        '/containerd.services.content.v1.Content/Read',
        () => bytes,
        (piece) => piece,
        {},
      );
      stream.on('error', () => resolve());
      stream.once('data', () => stream.cancel());
    });
    hasty.close();
    expect((await client.readAll(content.digest)).equals(content.bytes)).toBe(true);
  });

  it('that says nothing on its stream is let go', async () => {
    const { client } = await setUpService();
    const silent = client.stream();
    await silent.close();
    expect(await silent.ended).toBe('OK');
    client.stream().cancel();
    expect(await client.listStatuses()).toEqual([]);
  });
});
