import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { loadPeerParts } from '../../src/compose/peers.ts';
import { readPullConfig } from '../../src/config/pull.ts';
import type { GivenFlags } from '../../src/config.ts';
import { systemClock } from '../../src/core/clock.ts';
import { toSessionId } from '../../src/core/ids.ts';
import { silentLog } from '../../src/core/log.ts';
import type { BlobSource } from '../../src/source/blob-source.ts';
import { openStore } from '../../src/store/oci-layout.ts';
import { collect, fakeGuide, madeLayer, never, peerAt, startServer } from '../peer/support.ts';
import { onCleanup } from '../support/cleanup.ts';
import { machine } from '../support/config.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { open } from '../support/get.ts';
import { soon } from '../support/soon.ts';
import { tempDir } from '../support/temp.ts';

const layer = madeLayer(100_000);

async function partsOf(flags: GivenFlags) {
  const clock = createFakeClock();
  const config = readPullConfig(flags, machine);
  const parts = await loadPeerParts({ config, clock, log: silentLog, onWarning: () => {} });
  onCleanup(() => parts.close());
  return { clock, parts };
}

const registry: BlobSource = {
  url: 'https://registry.example',
  async *open(_, { offset = 0 }) {
    yield layer.bytes.subarray(offset);
  },
};

/** Reads the layer from a peer that sends nine bytes of it and no more. */
async function readFromStuckPeer(flags: GivenFlags) {
  const { clock, parts } = await partsOf(flags);
  let begun = false;
  const url = await startServer((_: IncomingMessage, response: ServerResponse) => {
    response.writeHead(200, { 'content-length': layer.size }).write(layer.bytes.subarray(0, 9), () => {
      begun = true;
    });
  });
  const guide = fakeGuide(peerAt(url));
  const reached: number[] = [];
  const read = async function* () {
    for await (const chunk of parts.reading.guided(guide, registry).open(layer, { signal: never })) {
      reached.push(chunk.length);
      yield chunk;
    }
  };
  const bytes = collect(read());
  await soon(async () => expect([begun, reached]).toEqual([true, [9]]));
  return { clock, guide, bytes };
}

describe('the bounds of reading from other nodes', () => {
  it('have a silent one left within the time that is given, and not before it is asked', async () => {
    const { clock, guide, bytes } = await readFromStuckPeer({ 'peer-stall-timeout': '3s' });
    // In the last second it is asked how much it has.
    await clock.advance(1_900);
    expect(guide.blamed()).toEqual([]);
    await clock.advance(1_100);
    expect((await bytes).equals(layer.bytes)).toBe(true);
    expect(guide.blamed()).toEqual([expect.stringContaining('fell silent')]);
  });

  it('have a slow one left that sends less than is given over the time that is given', async () => {
    const { clock, guide, bytes } = await readFromStuckPeer({
      ...{ 'peer-stall-timeout': '1h', 'peer-min-rate': '5', 'peer-min-rate-window': '4s' },
    });
    await clock.advance(3_000);
    expect(guide.blamed()).toEqual([]);
    await clock.advance(2_000);
    expect((await bytes).equals(layer.bytes)).toBe(true);
    expect(guide.blamed()).toEqual([expect.stringContaining('is slow')]);
  });
});

describe('what a pull serves', () => {
  it('is so many layers at once as is given; more are told to come again', async () => {
    const { parts } = await partsOf({ 'max-transfers': '1' });
    const store = await openStore({ path: `${tempDir()}/store`, clock: systemClock });
    const server = await parts.serve(store, { host: '127.0.0.1', port: 0 });
    onCleanup(() => server.close());
    const ingest = await store.blobs.ingest(layer, { session: toSessionId('writer') });
    await ingest.write(layer.bytes.subarray(0, 9));
    const url = `http://127.0.0.1:${server.port}/v2/any/blobs/${layer.digest}`;
    const headers = { range: `bytes=0-${layer.size - 1}` };
    const first = await open(url, { headers });
    const second = await open(url, { headers });
    expect([first.status, second.status]).toEqual([206, 503]);
    expect(second.headers.get('retry-after')).toMatch(/^\d+$/);
    await second.arrayBuffer();
    await ingest.write(layer.bytes.subarray(9));
    await ingest.commit();
    expect(Buffer.from(await first.arrayBuffer()).equals(layer.bytes)).toBe(true);
  });
});
