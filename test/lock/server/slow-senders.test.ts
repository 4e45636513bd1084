import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { onCleanup } from '../../support/cleanup.ts';
import { answersIn, connectRaw, dropClients, type RawClient, rawRequest } from './raw-client.ts';
import { fakeLocks, layer, serve, stopServers } from './support.ts';

afterEach(stopServers);
afterEach(dropClients);

const limits = { headersTimeoutMs: 2_000, requestTimeoutMs: 3_000 };
const inQuestion = { type: 'pull', resource_id: layer, node_id: 'a' };

async function connectTo(options: object = limits): Promise<RawClient> {
  const { url } = await serve(fakeLocks({ acquire: async () => ({ kind: 'skip' }) }), options);
  const client = await connectRaw(url);
  return client;
}

/** Sends `bytes` again and again, until the connection ends. */
function trickle(client: RawClient, bytes: string): void {
  const stop = systemClock.every(20, () => {
    if (client.socket.writable) client.write(bytes);
  });
  onCleanup(stop);
}

const tooSlow = { error: 'request timeout', message: 'the request did not arrive in time', code: 'too_slow' };

describe('a client that sends slowly', () => {
  it('gets 408 for headers that do not end, and its connection is closed', async () => {
    const client = await connectTo();
    client.write('POST /lock HTTP/1.1\r\nhost: test\r\nx-trickle: ');
    trickle(client, 'x');
    const [answer] = answersIn(await client.ended());
    expect(answer).toMatchObject({ status: 408, body: tooSlow });
    expect(answer?.head).toContain('connection: close');
  });

  it('gets 408 for a body that does not end, with a length or in chunks', async () => {
    for (const length of ['content-length: 60000', 'transfer-encoding: chunked']) {
      const client = await connectTo();
      client.write(`POST /lock HTTP/1.1\r\nhost: test\r\n${length}\r\n\r\n`);
      trickle(client, '1\r\n \r\n');
      const answers = answersIn(await client.ended());
      expect(answers).toMatchObject([{ status: 408, body: tooSlow }]);
    }
  });

  it('gets 408 for a later request too, after the answers to the earlier ones', async () => {
    const client = await connectTo();
    client.write(rawRequest('POST /lock', inQuestion));
    client.write('POST /lock HTTP/1.1\r\nx-trickle: ');
    trickle(client, 'x');
    const answers = answersIn(await client.ended());
    expect(answers.map(({ status }) => status)).toEqual([200, 408]);
  });

  it('is closed without a word when it sends nothing at all', async () => {
    const client = await connectTo();
    expect(await client.ended()).toBe('');
  });

  it('gets one answer when the server had one before the end of the body', async () => {
    const client = await connectTo();
    client.write('POST /nothing HTTP/1.1\r\nhost: test\r\ncontent-length: 60000\r\n\r\n');
    await client.received('\r\n\r\n');
    trickle(client, ' ');
    const answers = answersIn(await client.ended());
    expect(answers).toHaveLength(1);
  });

  it('does not hold up others', async () => {
    const { url } = await serve(fakeLocks({ acquire: async () => ({ kind: 'skip' }) }), {
      maxConnections: 400,
    });
    for (let one = 0; one < 300; one += 1) {
      const slow = await connectRaw(url);
      slow.write('POST /lock HTTP/1.1\r\nhost: te');
    }
    const client = await connectRaw(url);
    client.write(rawRequest('POST /lock', inQuestion));
    expect(answersIn(await client.received('already done'))).toMatchObject([{ status: 200 }]);
  });
});
