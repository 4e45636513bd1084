import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { forMany } from '../../src/core/abort.ts';
import { systemClock } from '../../src/core/clock.ts';
import { digestOf } from '../../src/core/digest.ts';
import { isLayerpullError } from '../../src/core/errors.ts';
import { createPeerServer } from '../../src/peer/server.ts';
import type { TestBlob } from '../support/blobs.ts';
import { onCleanup } from '../support/cleanup.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { fleetFiles } from '../support/fleet-files.ts';
import { open } from '../support/get.ts';
import { spawnProcess } from '../support/processes.ts';
import { soon } from '../support/soon.ts';
import { testProgram } from '../support/test-program.ts';
import { collect, hurried, madeLayer, memberOf, never, startPeer, testPeers } from './support.ts';

const layer = madeLayer(1_000_000);
const pathOf = ({ digest }: TestBlob, name = 'any/name') => `/v2/${name}/blobs/${digest}`;
const rangeFrom = (offset: number, { size }: TestBlob = layer) => ({ range: `bytes=${offset}-${size - 1}` });

async function headersOf(url: string, options: RequestInit = {}) {
  const response = await open(url, options);
  const bytes = Buffer.from(await response.arrayBuffer());
  return { status: response.status, headers: response.headers, bytes };
}

describe('the server of a peer', () => {
  it('says that it is a registry', async () => {
    const { url } = await startPeer();
    const { status, headers } = await headersOf(`${url}/v2/`);
    expect(status).toBe(200);
    expect(headers.get('docker-distribution-api-version')).toBe('registry/2.0');
    expect((await headersOf(`${url}/v2/`, { method: 'HEAD' })).status).toBe(200);
  });

  it('gives a blob of its store under any name', async () => {
    const { url, put } = await startPeer();
    await put(layer);
    for (const name of ['a', 'library/busybox', 'blobs/blobs', 'a%2Fb/../c']) {
      const { status, headers, bytes } = await headersOf(url + pathOf(layer, name));
      expect(status).toBe(200);
      expect(bytes.equals(layer.bytes)).toBe(true);
      expect(headers.get('docker-content-digest')).toBe(layer.digest);
      expect(headers.get('content-length')).toBe(String(layer.size));
    }
  });

  it.each([
    ['bytes=0-999999', 0, 1_000_000],
    ['bytes=5-9', 5, 10],
    ['bytes=999999-', 999_999, 1_000_000],
    ['bytes=10-99999999', 10, 1_000_000],
    ['bytes=-10', 999_990, 1_000_000],
    ['bytes=-99999999', 0, 1_000_000],
  ])('gives the part %s', async (range, start, end) => {
    const { url, put } = await startPeer();
    await put(layer);
    const { status, headers, bytes } = await headersOf(url + pathOf(layer), { headers: { range } });
    expect(status).toBe(206);
    expect(headers.get('content-range')).toBe(`bytes ${start}-${end - 1}/${layer.size}`);
    expect(bytes.equals(layer.bytes.subarray(start, end))).toBe(true);
  });

  it.each(['bytes=1000000-', 'bytes=1000000-1000001', 'bytes=-0'])('refuses the part %s', async (range) => {
    const { url, put } = await startPeer();
    await put(layer);
    const { status, headers } = await headersOf(url + pathOf(layer), { headers: { range } });
    expect(status).toBe(416);
    expect(headers.get('content-range')).toBe(`bytes */${layer.size}`);
  });

  it.each(['bytes=9-5', 'bytes=0-1,4-5', 'bytes=-', 'lines=1-2', 'bytes=99999999999999999999-'])(
    'gives the whole for %s, which is no range that it knows',
    async (range) => {
      const { url, put } = await startPeer();
      await put(layer);
      const { status, bytes } = await headersOf(url + pathOf(layer), { headers: { range } });
      expect([status, bytes.length]).toEqual([200, layer.size]);
    },
  );

  it('tells the size of a blob without its bytes', async () => {
    const { url, put } = await startPeer();
    await put(layer);
    const { status, headers, bytes } = await headersOf(url + pathOf(layer), { method: 'HEAD' });
    expect([status, headers.get('content-length'), bytes.length]).toEqual([200, String(layer.size), 0]);
  });

  it('gives a blob without bytes', async () => {
    const { url, put } = await startPeer();
    const empty = madeLayer(0);
    await put(empty);
    const { status, bytes } = await headersOf(url + pathOf(empty));
    expect([status, bytes.length]).toEqual([200, 0]);
  });

  it('does not have what is not there', async () => {
    const { url } = await startPeer();
    const { status, bytes } = await headersOf(url + pathOf(layer));
    expect([status, JSON.parse(bytes.toString()).errors[0].code]).toEqual([404, 'BLOB_UNKNOWN']);
  });

  it.each([
    ['/', 404],
    ['/v2', 404],
    ['/v2/_catalog', 404],
    ['/v2/a/manifests/latest', 404],
    ['/v2/a/tags/list', 404],
    ['/v2/a/blobs/uploads/', 404],
    ['/v2/a/blobs/sha256:abc', 400],
    ['/v2/a/blobs/..%2f..%2f..%2fetc%2fpasswd', 400],
    ['/v2/a/blobs/%', 400],
    [`/v2/a/blobs/sha256:${'A'.repeat(64)}`, 400],
  ])('refuses %s', async (path, status) => {
    const { url } = await startPeer();
    expect((await headersOf(url + path)).status).toBe(status);
  });

  it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])('lets nobody %s', async (method) => {
    const { url, put } = await startPeer();
    await put(layer);
    const { status, headers } = await headersOf(url + pathOf(layer), { method });
    expect([status, headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    expect((await headersOf(url + pathOf(layer))).status).toBe(200);
  });

  it('gives nothing without its token', async () => {
    const { tokenFile } = fleetFiles(undefined, 'of-the-fleet');
    const { url, put } = await startPeer({ serving: memberOf({ tokenFile }).serving });
    await put(layer);
    const statusWith = async (authorization?: string) =>
      (await headersOf(url + pathOf(layer), authorization ? { headers: { authorization } } : {})).status;
    expect(await statusWith()).toBe(401);
    expect(await statusWith('Bearer of-the')).toBe(401);
    expect(await statusWith('Bearer of-the-fleets')).toBe(401);
    expect(await statusWith('Basic of-the-fleet')).toBe(401);
    expect(await statusWith('Bearer of-the-fleet')).toBe(200);
    expect((await headersOf(`${url}/v2/`)).status).toBe(401);
  });

  it('speaks TLS with the certificates that it is given', async () => {
    const { certFile, keyFile, caFile } = fleetFiles();
    const { url, put } = await startPeer({ serving: memberOf({ pair: { certFile, keyFile } }).serving });
    await put(layer);
    const trusting = testPeers({ trust: memberOf({ caFile }).trust });
    expect(new URL(url).protocol).toBe('https:');
    expect((await collect(trusting.blobs(url).open(layer, { signal: never }))).equals(layer.bytes)).toBe(
      true,
    );
    const reading = collect(testPeers().blobs(url).open(layer, { signal: never }));
    await expect(reading).rejects.toMatchObject({ code: 'registry_unreachable', origin: 'peer' });
  });

  it('says that an address is in use', async () => {
    const { url } = await startPeer();
    const second = createPeerServer({ blobs: { open: async () => undefined }, clock: systemClock });
    onCleanup(() => second.close());
    const port = Number(new URL(url).port);
    await expect(second.listen({ host: '127.0.0.1', port })).rejects.toMatchObject({
      code: 'address_in_use',
      hint: 'choose another address with --peer-addr',
    });
  });
});

describe('a blob that is still being written', () => {
  it('is given as it grows, its headers at once', async () => {
    const { url, begin } = await startPeer();
    const ingest = await begin(layer);
    const response = await open(url + pathOf(layer), { headers: rangeFrom(0) });
    expect(response.status).toBe(206);
    expect(response.headers.get('content-range')).toBe('bytes 0-999999/1000000');
    expect(response.headers.get('content-length')).toBe('1000000');
    await ingest.write(layer.bytes);
    await ingest.commit();
    expect(Buffer.from(await response.arrayBuffer()).equals(layer.bytes)).toBe(true);
  });

  it('is not there for those who do not say how long it is', async () => {
    const { url, begin } = await startPeer();
    const ingest = await begin(layer);
    await ingest.write(layer.bytes.subarray(0, 1_000));
    expect((await headersOf(url + pathOf(layer))).status).toBe(404);
    expect((await headersOf(url + pathOf(layer), { headers: { range: 'bytes=5-' } })).status).toBe(404);
    expect((await headersOf(url + pathOf(layer), { method: 'HEAD' })).status).toBe(404);
    await ingest.discard();
  });

  it('tells how much of it is there', async () => {
    const { url, begin } = await startPeer();
    const ingest = await begin(layer);
    const peers = testPeers();
    await ingest.write(layer.bytes.subarray(0, 1_000));
    await soon(async () => expect(await peers.bytesOf(url, layer, never)).toBe(1_000));
    await ingest.discard();
  });

  it('breaks off when its writer gives up', async () => {
    const { url, begin, server } = await startPeer();
    const ingest = await begin(layer);
    const reading = collect(testPeers().blobs(url).open(layer, { signal: never }));
    const ended = expect(reading).rejects.toMatchObject({ code: 'registry_failed', origin: 'peer' });
    await soon(async () => expect(server.readers()).toBe(1));
    await ingest.discard();
    await ended;
  });

  it('breaks off when the process that writes it is killed', async () => {
    const { folder, url } = await startPeer();
    const program = await testProgram('blob-writer');
    const writer = await spawnProcess(process.execPath, [program, folder, String(layer.size)], {
      env: process.env,
    });
    await writer.stdout.waitFor(/begun/);
    writer.stdin.write('write 100000\n');
    await writer.stdout.waitFor(/ok/);
    const got: number[] = [];
    const reading = (async () => {
      for await (const piece of testPeers().blobs(url).open(layer, { signal: never })) got.push(piece.length);
    })();
    const ended = expect(reading).rejects.toMatchObject({ code: 'registry_failed' });
    await soon(async () => expect(got.reduce((sum, bytes) => sum + bytes, 0)).toBe(100_000));
    writer.kill('SIGKILL');
    await ended;
  });

  it('comes to many readers, from wherever they begin', async () => {
    const { url, begin, server } = await startPeer();
    const ingest = await begin(layer);
    const peers = testPeers();
    const offsets = Array.from({ length: 40 }, (_, place) => place * 20_000);
    const reads = offsets.map((offset) => collect(peers.blobs(url).open(layer, { offset, signal: never })));
    await soon(async () => expect(server.readers()).toBe(40));
    for (let start = 0; start < layer.size; start += 50_000) {
      await ingest.write(layer.bytes.subarray(start, start + 50_000));
    }
    await ingest.commit();
    const all = await Promise.all(reads);
    expect(all.every((bytes, place) => bytes.equals(layer.bytes.subarray(place * 20_000)))).toBe(true);
    await soon(async () => expect(server.readers()).toBe(0));
    expect(server.served().get(layer.digest)).toBe(
      offsets.reduce((sum, offset) => sum + layer.size - offset, 0),
    );
  });

  it('comes through three peers in a row while the first one still receives it', async () => {
    const chain = await Promise.all([startPeer(), startPeer(), startPeer()]);
    const [origin, ...relays] = chain;
    if (!origin) throw new Error('no peer');
    const peers = testPeers();
    const first = await origin.begin(layer);
    const copies = relays.map(async (relay, place) => {
      const ingest = await relay.begin(layer);
      const parent = chain[place]?.url ?? '';
      for await (const piece of peers.blobs(parent).open(layer, { signal: never })) await ingest.write(piece);
      await ingest.commit();
    });
    await soon(async () => expect(relays[0]?.server.readers()).toBe(1));
    const last = collect(peers.blobs(relays[1]?.url ?? '').open(layer, { signal: never }));
    for (let start = 0; start < layer.size; start += 50_000) {
      await first.write(layer.bytes.subarray(start, start + 50_000));
    }
    await Promise.all([first.commit(), ...copies]);
    expect((await last).equals(layer.bytes)).toBe(true);
  });
});

describe('the readers of a peer', () => {
  const big = madeLayer(64 * 1_048_576);

  /** Somebody who asks for a blob and reads nothing of it. */
  async function lazyReader(url: string, blob: TestBlob) {
    const socket = connect(Number(new URL(url).port), '127.0.0.1').pause();
    onCleanup(() => void socket.destroy());
    socket.on('error', () => {});
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.write(`GET ${pathOf(blob)} HTTP/1.1\r\nHost: peer\r\n\r\n`);
    return { socket, closed };
  }

  it('are as many as there may be', async () => {
    const { url, put, server } = await startPeer({ maxTransfers: 1 });
    await put(big);
    const { socket } = await lazyReader(url, big);
    await soon(async () => expect(server.readers()).toBe(1));
    const { status, headers } = await headersOf(url + pathOf(big));
    expect([status, headers.get('retry-after')]).toEqual([503, '1']);
    socket.destroy();
    await soon(async () => expect(server.readers()).toBe(0));
    expect((await headersOf(url + pathOf(big), { method: 'HEAD' })).status).toBe(200);
  });

  it('are cut off when they take nothing', async () => {
    const { url, put, server } = await startPeer({ clock: hurried(100) });
    await put(big);
    const { socket, closed } = await lazyReader(url, big);
    await soon(async () => expect(server.readers()).toBe(1));
    await soon(async () => expect(server.readers()).toBe(0));
    socket.resume();
    await closed;
  });

  it('do not count as getting on once they have taken nothing for a while', async () => {
    const clock = createFakeClock();
    const { url, put, server } = await startPeer({ clock });
    await put(big);
    const { socket } = await lazyReader(url, big);
    await soon(async () => expect(server.readers()).toBe(1));
    expect(server.movingReaders(5_000)).toBe(1);
    await clock.advance(5_000);
    expect([server.readers(), server.movingReaders(5_000)]).toEqual([1, 0]);
    socket.resume();
    await soon(async () => expect(server.readers()).toBe(0));
  });

  it('cost no memory while they take nothing', async () => {
    const { url, put, server } = await startPeer();
    await put(big);
    const before = process.memoryUsage();
    await Promise.all(Array.from({ length: 20 }, () => lazyReader(url, big)));
    await soon(async () => expect(server.readers()).toBe(20));
    const after = process.memoryUsage();
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(20 * 2 * 1_048_576);
  });

  it('that go leave nothing behind', async () => {
    const { url, begin, server } = await startPeer();
    const ingest = await begin(layer);
    const leaving = new AbortController();
    const reads = Array.from({ length: 10 }, () =>
      collect(
        testPeers()
          .blobs(url)
          .open(layer, { signal: forMany([leaving.signal]) }),
      ),
    );
    const ended = Promise.allSettled(reads);
    await soon(async () => expect(server.readers()).toBe(10));
    leaving.abort(new Error('enough'));
    await ended;
    await soon(async () => expect(server.readers()).toBe(0));
    await ingest.discard();
  });

  it('may finish when the server closes with patience', async () => {
    const { url, begin, server } = await startPeer();
    const ingest = await begin(layer);
    const read = collect(testPeers().blobs(url).open(layer, { signal: never }));
    await soon(async () => expect(server.readers()).toBe(1));
    const closed = server.close({ waitMs: 60_000 });
    await ingest.write(layer.bytes);
    await ingest.commit();
    expect((await read).equals(layer.bytes)).toBe(true);
    await closed;
  });

  it('are cut when the server closes without', async () => {
    const { url, begin, server } = await startPeer();
    const ingest = await begin(layer);
    const read = collect(testPeers().blobs(url).open(layer, { signal: never }));
    const ended = expect(read).rejects.toSatisfy(isLayerpullError);
    await soon(async () => expect(server.readers()).toBe(1));
    await server.close();
    await server.close();
    await ended;
    await ingest.discard();
  });
});

it('counts nothing for digests that nobody has', async () => {
  const { url, server } = await startPeer();
  await headersOf(url + pathOf({ ...layer, digest: digestOf(Buffer.from('x')) }), { headers: rangeFrom(0) });
  expect(server.served().size).toBe(0);
});
