import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { deferred } from '../../src/core/abort.ts';
import { systemClock } from '../../src/core/clock.ts';
import { isLayerpullError } from '../../src/core/errors.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { fleetFiles } from '../support/fleet-files.ts';
import { soon } from '../support/soon.ts';
import {
  collect,
  hurried,
  madeLayer,
  memberOf,
  never,
  startPeer,
  startServer,
  testPeers,
} from './support.ts';

const layer = madeLayer(200_000);

/** Reads from a peer that answers like this. */
async function readFrom(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  offset = 0,
  peers = testPeers(),
) {
  const url = await startServer(answer);
  return await collect(peers.blobs(url).open(layer, { offset, signal: never }));
}

const part = (offset: number, size = layer.size) => ({
  'content-range': `bytes ${offset}-${size - 1}/${size}`,
  'content-length': String(layer.size - offset),
});

describe('a blob of a peer', () => {
  it('is asked for with a closed range from the first byte on', async () => {
    const ranges: unknown[] = [];
    const bytes = await readFrom((request, response) => {
      ranges.push(request.headers.range);
      response.writeHead(206, part(0)).end(layer.bytes);
    });
    expect(bytes.equals(layer.bytes)).toBe(true);
    expect(ranges).toEqual(['bytes=0-199999']);
  });

  it('may come whole', async () => {
    const answer = (_: IncomingMessage, response: ServerResponse) => void response.end(layer.bytes);
    expect((await readFrom(answer)).equals(layer.bytes)).toBe(true);
    expect((await readFrom(answer, 1_000)).equals(layer.bytes.subarray(1_000))).toBe(true);
  });

  const bad: [string, string, (request: IncomingMessage, response: ServerResponse) => void][] = [
    ['an unknown blob', 'blob_not_found', (_, response) => void response.writeHead(404).end()],
    ['a failure', 'registry_failed', (_, response) => void response.writeHead(500).end('x')],
    [
      'too many readers',
      'registry_failed',
      (_, response) => void response.writeHead(503, { 'retry-after': '1' }).end(),
    ],
    [
      'a redirect',
      'registry_protocol',
      (_, response) => void response.writeHead(307, { location: '/v2/' }).end(),
    ],
    [
      'a redirect elsewhere',
      'registry_protocol',
      (_, response) => void response.writeHead(302, { location: 'http://169.254.169.254/' }).end(),
    ],
    ['a question for a password', 'access_denied', (_, response) => void response.writeHead(401).end()],
    [
      'other bytes',
      'registry_protocol',
      (_, response) => void response.writeHead(206, part(5)).end(layer.bytes.subarray(5)),
    ],
    [
      'bytes of another blob',
      'registry_protocol',
      (_, response) => void response.writeHead(206, part(0, 300_000)).end(),
    ],
    [
      'a part without a place',
      'registry_protocol',
      (_, response) => void response.writeHead(206).end(layer.bytes),
    ],
    [
      'too few bytes',
      'registry_failed',
      (_, response) => void response.writeHead(200).end(layer.bytes.subarray(9)),
    ],
    [
      'a smaller size',
      'size_mismatch',
      (_, response) => void response.writeHead(200, { 'content-length': '9' }).end('too short'),
    ],
    [
      'too many bytes',
      'size_mismatch',
      (_, response) => void response.writeHead(200).end(Buffer.concat([layer.bytes, layer.bytes])),
    ],
    [
      'compressed bytes',
      'registry_protocol',
      (_, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end(),
    ],
    ['no HTTP', 'registry_unreachable', ({ socket }) => void socket.end('what?\r\n\r\n')],
    [
      'a broken connection',
      'registry_failed',
      (_, response) =>
        void response.writeHead(206, part(0)).write(layer.bytes.subarray(0, 9), () => response.destroy()),
    ],
  ];
  it.each(bad)('is refused for %s, with the error %s of a peer', async (_, code, answer) => {
    await expect(readFrom(answer)).rejects.toMatchObject({ code, origin: 'peer' });
  });

  it('is refused when it has no end', async () => {
    let isOver = false;
    const endless = (_: IncomingMessage, response: ServerResponse) => {
      response.writeHead(200).once('close', () => {
        isOver = true;
      });
      const more = () => void (isOver || response.write(layer.bytes, () => setImmediate(more)));
      more();
    };
    await expect(readFrom(endless)).rejects.toMatchObject({ code: 'size_mismatch', origin: 'peer' });
    await soon(async () => expect(isOver).toBe(true));
  });

  it.each(['before its headers', 'after its headers', 'in the middle'])(
    'is left when it is silent %s',
    async (when) => {
      const silent = (_: IncomingMessage, response: ServerResponse) => {
        if (when === 'before its headers') return;
        response.writeHead(206, part(0)).flushHeaders();
        if (when === 'in the middle') response.write(layer.bytes.subarray(0, 9));
      };
      const peers = testPeers({ clock: hurried(50) });
      await expect(readFrom(silent, 0, peers)).rejects.toMatchObject({
        code: 'registry_stalled',
        origin: 'peer',
      });
    },
  );

  it('is left while there is time to ask, within five seconds of silence, what it has', async () => {
    const clock = createFakeClock();
    const asked = deferred<void>();
    const url = await startServer(() => asked.resolve());
    const result = { error: undefined as unknown };
    const reading = collect(testPeers({ clock }).blobs(url).open(layer, { signal: never })).catch((error) => {
      result.error = error;
    });
    await asked.promise;
    await clock.advance(3_900);
    expect(result.error).toBeUndefined();
    await clock.advance(500);
    await reading;
    expect(result.error).toMatchObject({ code: 'registry_stalled', origin: 'peer' });
  });

  it('is left when it drips', async () => {
    const drip = (_: IncomingMessage, response: ServerResponse) => {
      response.writeHead(206, part(0));
      response.once(
        'close',
        systemClock.every(10, () => response.write('x')),
      );
    };
    const peers = testPeers({ clock: hurried(20) });
    await expect(readFrom(drip, 0, peers)).rejects.toMatchObject({ code: 'timed_out', origin: 'peer' });
  });

  it.each(['http://169.254.1.1:80', 'http://[fe80::1]:80', 'http://[::ffff:169.254.169.254]/'])(
    'is not asked for at %s, which is link-local',
    async (url) => {
      const reading = collect(testPeers().blobs(url).open(layer, { signal: never }));
      await expect(reading).rejects.toMatchObject({ code: 'registry_protocol', origin: 'peer' });
    },
  );

  it.each(['', 'nonsense', 'file:///etc/passwd', 'http://user:secret@127.0.0.1/', 'ftp://127.0.0.1/'])(
    'is not asked for at %j, and nothing of that is repeated',
    async (url) => {
      const error = await collect(testPeers().blobs(url).open(layer, { signal: never })).catch(
        (cause) => cause,
      );
      expect(isLayerpullError(error) && [error.code, error.origin]).toEqual(['registry_protocol', 'peer']);
      expect(error.message).not.toContain('secret');
    },
  );

  it('is asked for with the token of the fleet, and refused without', async () => {
    const memberWith = (token: string) => memberOf({ tokenFile: fleetFiles(undefined, token).tokenFile });
    const { url, put } = await startPeer({ serving: memberWith('of-the-fleet').serving });
    await put(layer);
    const read = (token?: string) => {
      const trust = token === undefined ? undefined : memberWith(token).trust;
      return collect(testPeers({ trust }).blobs(url).open(layer, { signal: never }));
    };
    expect((await read('of-the-fleet')).equals(layer.bytes)).toBe(true);
    await expect(read('another')).rejects.toMatchObject({ code: 'access_denied', origin: 'peer' });
    await expect(read()).rejects.toMatchObject({ code: 'access_denied', origin: 'peer' });
  });

  it('ends with the reason of the signal', async () => {
    const url = await startServer(() => {});
    const leaving = new AbortController();
    const reading = collect(testPeers().blobs(url).open(layer, { signal: leaving.signal }));
    leaving.abort(new Error('enough'));
    await expect(reading).rejects.toThrow('enough');
  });
});

describe('how much a peer has', () => {
  it('is not known of one that does not answer, or answers nonsense', async () => {
    const peers = testPeers({ clock: hurried(20) });
    const silent = await startServer(() => {});
    const strange = await startServer((_, response) => {
      response.writeHead(200, { 'layerpull-bytes': '-1' }).end();
    });
    expect(await peers.bytesOf(silent, layer, never)).toBeUndefined();
    expect(await peers.bytesOf(strange, layer, never)).toBeUndefined();
    expect(await peers.bytesOf('http://127.0.0.1:1', layer, never)).toBeUndefined();
  });

  it('is nothing where it does not have the blob', async () => {
    const { url } = await startPeer();
    expect(await testPeers().bytesOf(url, layer, never)).toBe(0);
  });
});
