import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { mediaTypes } from '../../src/core/descriptor.ts';
import { digestOf } from '../../src/core/digest.ts';
import { toSessionId } from '../../src/core/ids.ts';
import type { GrowingBlob } from '../../src/store/growing-blobs.ts';
import { openStore } from '../../src/store/oci-layout.ts';
import { madeBytes } from '../support/fake-registry/content.ts';
import { type Child, spawnProcess } from '../support/processes.ts';
import { soon } from '../support/soon.ts';
import { tempDir } from '../support/temp.ts';
import { testProgram } from '../support/test-program.ts';

const bytes = madeBytes('peers', 3_000_000);
const layer = { mediaType: mediaTypes.ociLayerGzip, digest: digestOf(bytes), size: bytes.length };
const whole = { start: 0, end: layer.size - 1 };

async function setUp() {
  const folder = path.join(tempDir(), 'store');
  const store = await openStore({ path: folder, clock: systemClock });
  const begin = (session: string, fresh = false) =>
    store.blobs.ingest(layer, { session: toSessionId(session) }, { fresh });
  const openBlob = async (): Promise<GrowingBlob> => {
    const blob = await store.growing.open(layer.digest);
    if (!blob) throw new Error('nothing to read');
    return blob;
  };
  return { folder, ...store, begin, openBlob };
}

async function startWriter(folder: string, session = 'other') {
  const program = await testProgram('blob-writer');
  const child = await spawnProcess(process.execPath, [program, folder, String(layer.size), session], {
    env: process.env,
  });
  await child.stdout.waitFor(/begun/);
  return child;
}

async function tell(child: Child, order: string): Promise<void> {
  const before = child.stdout.lines().length;
  child.stdin.write(`${order}\n`);
  await soon(async () => expect(child.stdout.lines().length).toBeGreaterThan(before));
}

/** Reads in the background what there is of `range`. */
function reading(blob: GrowingBlob, range = whole, signal = new AbortController().signal) {
  const pieces: Uint8Array[] = [];
  const done = (async () => {
    for await (const piece of blob.read(range, signal)) pieces.push(piece);
  })();
  done.catch(() => {});
  const got = () => Buffer.concat(pieces);
  const has = (count: number) => soon(async () => expect(got().length).toBe(count));
  return { done, got, has };
}

/** Files of the store that this process has open. */
function openFiles(folder: string): string[] {
  if (!existsSync('/proc/self/fd')) return [];
  const links = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return '';
    }
  });
  return links.filter((link) => link.startsWith(folder));
}

describe('a blob of the store that may still be growing', () => {
  it('is not there when nobody has it or writes it', async () => {
    const { growing } = await setUp();
    expect(await growing.open(layer.digest)).toBeUndefined();
  });

  it('has its size and its bytes once it is published', async () => {
    const { begin, openBlob } = await setUp();
    const ingest = await begin('a');
    await ingest.write(bytes);
    await ingest.commit();
    const blob = await openBlob();
    expect(blob.size).toBe(layer.size);
    const read = reading(blob, { start: 1_000_000, end: 1_999_999 });
    await read.done;
    expect(read.got().equals(bytes.subarray(1_000_000, 2_000_000))).toBe(true);
    await blob.close();
  });

  it('is read while this process writes it, over its publication', async () => {
    const { folder, begin, openBlob } = await setUp();
    const ingest = await begin('a');
    await ingest.write(bytes.subarray(0, 1_000));
    const blob = await openBlob();
    expect(blob.size).toBeUndefined();
    const read = reading(blob);
    await read.has(1_000);
    await ingest.write(bytes.subarray(1_000, 2_500_000));
    await read.has(2_500_000);
    await ingest.write(bytes.subarray(2_500_000));
    await ingest.commit();
    await read.done;
    expect(read.got().equals(bytes)).toBe(true);
    await blob.close();
    expect(openFiles(folder)).toEqual([]);
  });

  it('is read while another process writes it', async () => {
    const { folder, openBlob } = await setUp();
    const writer = await startWriter(folder);
    await tell(writer, 'write 100000');
    const blob = await openBlob();
    const read = reading(blob, { start: 50_000, end: layer.size - 1 });
    await read.has(50_000);
    await tell(writer, 'write 2900000');
    await tell(writer, 'commit');
    await read.done;
    expect(read.got().equals(bytes.subarray(50_000))).toBe(true);
    await blob.close();
  });

  it('ends with an error when the process that writes it is killed', async () => {
    const { folder, growing, openBlob } = await setUp();
    const writer = await startWriter(folder);
    await tell(writer, 'write 100000');
    const blob = await openBlob();
    const read = reading(blob);
    await read.has(100_000);
    writer.kill('SIGKILL');
    await expect(read.done).rejects.toMatchObject({ code: 'store_failed' });
    expect(read.got()).toHaveLength(100_000);
    await blob.close();
    expect(await growing.open(layer.digest)).toBeUndefined();
  });

  it('waits as long as a stopped writer lives, and goes on with it', async () => {
    const { folder, openBlob } = await setUp();
    const writer = await startWriter(folder);
    await tell(writer, 'write 100000');
    writer.kill('SIGSTOP');
    const blob = await openBlob();
    const read = reading(blob);
    await read.has(100_000);
    writer.kill('SIGCONT');
    await tell(writer, 'write 2900000');
    await read.done;
    expect(read.got().equals(bytes)).toBe(true);
    await blob.close();
  });

  it.each(['close', 'discard'] as const)('ends with an error when its writer ends by %s', async (ending) => {
    const { folder, begin, openBlob } = await setUp();
    const ingest = await begin('a');
    await ingest.write(bytes.subarray(0, 1_000));
    const blob = await openBlob();
    const read = reading(blob);
    await read.has(1_000);
    await ingest[ending]();
    await expect(read.done).rejects.toMatchObject({ code: 'store_failed' });
    await blob.close();
    expect(openFiles(folder)).toEqual([]);
  });

  it('goes on with the writer that takes over', async () => {
    const { folder, begin, openBlob } = await setUp();
    const writer = await startWriter(folder);
    await tell(writer, 'write 100000');
    const blob = await openBlob();
    const read = reading(blob);
    await read.has(100_000);
    writer.kill('SIGKILL');
    const successor = await begin('successor');
    expect(successor.offset).toBe(100_000);
    await successor.write(bytes.subarray(100_000, 200_000));
    await read.has(200_000);
    await successor.write(bytes.subarray(200_000));
    await successor.commit();
    await read.done;
    expect(read.got().equals(bytes)).toBe(true);
    await blob.close();
    expect(openFiles(folder)).toEqual([]);
  });

  it('goes on with the blob when another writer publishes it first', async () => {
    const { folder, begin, openBlob } = await setUp();
    const slow = await begin('slow');
    await slow.write(bytes.subarray(0, 1_000));
    const blob = await openBlob();
    const read = reading(blob);
    await read.has(1_000);
    const fast = await begin('fast', true);
    await fast.write(bytes);
    await fast.commit();
    await read.done;
    expect(read.got().equals(bytes)).toBe(true);
    await blob.close();
    await slow.close();
    expect(openFiles(folder)).toEqual([]);
  });

  it('is read from the longest of several partials', async () => {
    const { begin, openBlob } = await setUp();
    const short = await begin('short', true);
    await short.write(bytes.subarray(0, 1_000));
    const long = await begin('long', true);
    await long.write(bytes.subarray(0, 2_000));
    await soon(async () => {
      const blob = await openBlob();
      const count = await blob.bytes();
      await blob.close();
      expect(count).toBe(2_000);
    });
    await Promise.all([short.discard(), long.discard()]);
  });

  it('ends with an error when it is shorter than was asked for', async () => {
    const { begin, openBlob } = await setUp();
    const ingest = await begin('a');
    await ingest.write(bytes);
    await ingest.commit();
    const blob = await openBlob();
    const read = reading(blob, { start: layer.size - 10, end: layer.size });
    await expect(read.done).rejects.toMatchObject({ code: 'store_failed' });
    await blob.close();
  });

  it('is left with the reason of the signal while it waits', async () => {
    const { folder, begin, openBlob } = await setUp();
    const ingest = await begin('a');
    const blob = await openBlob();
    const leaving = new AbortController();
    const read = reading(blob, whole, leaving.signal);
    leaving.abort(new Error('enough'));
    await expect(read.done).rejects.toThrow('enough');
    await blob.close();
    await blob.close();
    await ingest.discard();
    expect(openFiles(folder)).toEqual([]);
  });

  it('is read by many at once', async () => {
    const { begin, openBlob } = await setUp();
    const ingest = await begin('a');
    const blobs = await Promise.all(Array.from({ length: 30 }, openBlob));
    const reads = blobs.map((blob) => reading(blob));
    for (let start = 0; start < layer.size; start += 100_000) {
      await ingest.write(bytes.subarray(start, start + 100_000));
    }
    await ingest.commit();
    await Promise.all(reads.map(({ done }) => done));
    expect(reads.every(({ got }) => got().equals(bytes))).toBe(true);
    await Promise.all(blobs.map((blob) => blob.close()));
  });

  it('gives to readers what its writer got, though the writer waits for more', async () => {
    const { begin, openBlob } = await setUp();
    const ingest = await begin('a');
    const blob = await openBlob();
    const read = reading(blob);
    for (const end of [1, 5, 70_000, 70_001]) {
      await ingest.write(bytes.subarray(ingest.written(), end));
      await read.has(end);
    }
    await ingest.discard();
    await expect(read.done).rejects.toMatchObject({ code: 'store_failed' });
    await blob.close();
  });

  it('opens no file that it does not close', async () => {
    const { folder, begin, growing } = await setUp();
    const ingest = await begin('a');
    await ingest.close();
    await soon(async () => {
      const blob = await growing.open(layer.digest);
      await blob?.close();
      expect(blob).toBeUndefined();
    });
    expect(openFiles(folder)).toEqual([]);
  });
});
