import { describe, expect, it } from 'vitest';
import { runLayer } from '../../src/hooks/layer.ts';
import type { LayerEvent } from '../../src/hooks/layer-events.ts';
import type { LayerDownload } from '../../src/hooks/layer-run.ts';
import type { BlobSource } from '../../src/source/blob-source.ts';
import { resuming } from '../../src/source/resume.ts';
import { blobOf, piecesOf } from '../support/blobs.ts';
import { createFakeBlobStore } from '../support/fake-blob-store.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { createFakeSessionLocks } from '../support/fake-session-locks.ts';
import { inTurn, placesOf, type Step, scripted } from '../support/scripted-sources.ts';

const layer = blobOf('the bytes of one layer');
const wrongBytes = Buffer.from(layer.bytes.map((byte) => byte ^ 0xff));
const flaky = (...bytes: number[]): Step[] =>
  bytes.map((count) => ({ bytes: count, code: 'registry_failed' }));
const good = (name: string, script: readonly Step[] = []) => scripted(name, layer.bytes, script);
const bad = (name: string, script: readonly Step[] = []) => scripted(name, wrongBytes, script);

function setUp(sources: readonly BlobSource[], partial?: Uint8Array) {
  const store = createFakeBlobStore();
  if (partial) store.partials.set(layer.digest, partial);
  const clock = createFakeClock();
  const events: LayerEvent[] = [];
  const source = resuming(inTurn(sources), { clock, random: () => 0 });
  const run = async (download: LayerDownload = (context) => source.open(layer, context)) => {
    let over = false;
    const work = runLayer(layer, {
      ...{ store, clock, download, locks: createFakeSessionLocks() },
      signal: new AbortController().signal,
      onEvent: (event) => events.push(event),
    }).finally(() => {
      over = true;
    });
    work.catch(() => {});
    for (let turn = 0; turn < 100 && !over; turn += 1) await clock.advance(10_000);
    return await work;
  };
  const uses = () => placesOf(events.flatMap((event) => (event.kind === 'source' ? [event] : [])));
  return { store, run, uses, events };
}

describe('a layer with several sources', () => {
  it('tells which source its bytes come from', async () => {
    const { run, uses, events } = setUp([good('a', flaky(5)), good('b')]);
    expect(await run()).toMatchObject({ kind: 'downloaded', bytes: layer.size });
    expect(uses()).toEqual(['a@0', 'b@5']);
    expect(events.filter(({ kind }) => kind === 'started')).toHaveLength(1);
  });

  it('starts at zero from another one when all bytes of the first were wrong', async () => {
    const { run, uses, store } = setUp([bad('a'), good('b')]);
    expect(await run()).toMatchObject({ kind: 'downloaded', bytes: 2 * layer.size });
    expect(store.blobs.get(layer.digest)).toEqual(layer.bytes);
    expect(uses()).toEqual(['a@0', 'b@0']);
  });

  it('tries every source once when all bytes of all are wrong, and lists them', async () => {
    const { run, uses, store } = setUp([bad('a'), bad('b'), bad('c')]);
    await expect(run()).rejects.toMatchObject({
      code: 'digest_mismatch',
      message: `no server gave ${layer.digest}: a sends wrong content; b sends wrong content; c sends wrong content`,
    });
    expect(uses()).toEqual(['a@0', 'b@0', 'c@0']);
    expect(store.blobs.size).toBe(0);
    expect(store.openIngests.count).toBe(0);
  });

  it('has the error of the store when the only source gave wrong bytes', async () => {
    const { run, uses } = setUp([bad('a')]);
    await expect(run()).rejects.toThrow(`${layer.digest}: the bytes are`);
    expect(uses()).toEqual(['a@0']);
  });

  it('asks one that had no part in the wrong bytes before those that had', async () => {
    const { run, uses } = setUp([bad('a', flaky(5)), good('b', flaky(5)), bad('c'), good('d')]);
    await run();
    expect(uses()).toEqual(['a@0', 'b@5', 'c@10', 'd@0']);
  });

  it('asks those that had a part in the wrong bytes alone, so that the right one is found', async () => {
    const { run, uses } = setUp([bad('a', flaky(5)), good('b')]);
    await run();
    expect(uses()).toEqual(['a@0', 'b@5', 'a@0', 'b@0']);
  });

  it('never lets another one go on where one of those stopped', async () => {
    const { run, uses, store } = setUp([good('a', flaky(5, 5)), bad('b')]);
    await run();
    expect(store.blobs.get(layer.digest)).toEqual(layer.bytes);
    expect(uses()).toEqual(['a@0', 'b@5', 'a@0', 'a@5']);
  });

  it('blames nobody for what was there before, and begins with another one', async () => {
    const { run, uses } = setUp([good('a'), good('b')], Buffer.from('rotten'));
    expect(await run()).toMatchObject({ kind: 'downloaded' });
    expect(uses()).toEqual(['a@6', 'b@0']);
  });

  it('goes back to one that went on with rotten bytes when the others give wrong ones', async () => {
    const { run, uses, store } = setUp([good('a'), bad('b')], Buffer.from('rotten'));
    await run();
    expect(store.blobs.get(layer.digest)).toEqual(layer.bytes);
    expect(uses()).toEqual(['a@6', 'b@0', 'a@0']);
  });

  it('does not try for ever with a download that does not care whom it asks', async () => {
    let opened = 0;
    const { run } = setUp([]);
    const download: LayerDownload = ({ offset, onSource }) => {
      opened += 1;
      onSource({ url: 'http://a', offset });
      return piecesOf(wrongBytes, offset);
    };
    await expect(run(download)).rejects.toMatchObject({ code: 'digest_mismatch' });
    expect(opened).toBe(2);
  });
});
